namespace MeshL4.Load;

/// <summary>What the command line and the environment say.</summary>
/// <param name="Cases">Names of the chosen cases; null means all.</param>
/// <param name="Quick">Few and short rounds.</param>
/// <param name="Rounds">Rounds per case, or null for the default.</param>
/// <param name="JsonFile">Where the figures go, or null.</param>
/// <param name="Strict">A missed bar is an exit code.</param>
/// <param name="RivalsOnly">MeshL4 is left out.</param>
/// <param name="Proxy">Path of the MeshL4 executable.</param>
/// <param name="Command">MESHL4_BENCH_COMMAND: stands in for MeshL4's TCP relay, or null.</param>
internal sealed record BenchOptions(
    string[]? Cases, bool Quick, int? Rounds, string? JsonFile, bool Strict, bool RivalsOnly, string Proxy, string? Command)
{
    /// <summary>Rounds per case: even, so that every subject is as often early as late.</summary>
    public int RoundCount => Rounds ?? (Quick ? 2 : 6);

    /// <summary>About how long one measurement lasts, in seconds.</summary>
    public double Seconds => Quick ? 1.5 : 4;
}
