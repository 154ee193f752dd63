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
    private long _taken;
    private long _shownAtMs;

    /// <summary>The clock looks at a client whose bytes wait, and whose socket takes some again.</summary>
    public void TickWritable() => _ticksFull = 0;

    /// <summary>
    /// The clock looks at a client whose bytes wait, and whose socket takes none. The kernel says that it takes some only when a good part of its buffer
    /// of megabytes is free: what left the buffer meanwhile was taken too.
    /// </summary>
    /// <param name="taken">Bytes that its own kernel has, since it came.</param>
    /// <param name="least">So many more than before are progress.</param>
    /// <param name="nowMs">As the loop has it.</param>
    /// <returns>Whether they are that many more, since the socket is full or since it was last said.</returns>
    public bool TickFull(long taken, long least, long nowMs)
    {
        bool moved = _ticksFull > 0 && taken - _taken >= least;
        _shownAtMs = moved && _ticksFull == TicksToTell ? nowMs : _shownAtMs;
        if (moved || _ticksFull < TicksToTell)
        {
            _taken = taken;
            _ticksFull = Math.Min(_ticksFull + 1, TicksToTell);
        }

        return moved;
    }

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
