namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// Whether one client has shown of late that it reads: its socket took bytes again after it was found full for a while. Before that only the
/// kernel may have moved them, from one buffer to the next; and what was long ago says nothing of a client that is stuck now.
/// </summary>
internal struct ReaderEvidence
{
    /// <summary>How long it counts.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    /// <summary>Ticks of <see cref="SharedPatience.TickInterval"/>, one behind the other, that have to find a socket full.</summary>
    private const int TicksToTell = 2;

    private int _ticksFull;
    private long _shownAtMs;

    /// <summary>The clock looks at a client whose bytes wait.</summary>
    /// <param name="full">Its socket takes none.</param>
    public void Tick(bool full) => _ticksFull = full ? Math.Min(_ticksFull + 1, TicksToTell) : 0;

    /// <summary>The socket took bytes that had to wait.</summary>
    /// <param name="nowMs">As the loop has it.</param>
    public void Took(long nowMs)
    {
        _shownAtMs = _ticksFull == TicksToTell ? nowMs : _shownAtMs;
        _ticksFull = 0;
    }

    /// <summary>Whether it has shown so within the window.</summary>
    /// <param name="nowMs">As the loop has it.</param>
    public readonly bool Reads(long nowMs) => _shownAtMs > 0 && nowMs - _shownAtMs <= Window.TotalMilliseconds;
}
