namespace MeshL4.L4Proxy.Admin;

/// <summary>What the resources of one type hold, in bytes.</summary>
/// <param name="TypeUrl">The type.</param>
/// <param name="Count">How many run.</param>
/// <param name="Wire">Their length on the wire.</param>
/// <param name="Stored">What is kept of that, compressed, to show them.</param>
/// <param name="Compiled">What they were compiled to; an estimate.</param>
internal sealed record ResourceMemory(string TypeUrl, int Count, long Wire, long Stored, long Compiled);

/// <summary>Buffers of one loop that connections use now.</summary>
/// <param name="Buffers">How many.</param>
/// <param name="Bytes">Their sizes together.</param>
/// <param name="Pipes">Kernel pipes lent for splicing; their memory is the kernel's.</param>
internal sealed record LoopMemoryUse(long Buffers, long Bytes, int Pipes);
