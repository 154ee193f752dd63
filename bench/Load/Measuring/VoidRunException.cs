namespace MeshL4.Load.Measuring;

/// <summary>The run cannot be trusted: a subject gave no figure, or the machine ran out of something. The message says which and why.</summary>
internal sealed class VoidRunException(string reason) : Exception(reason);
