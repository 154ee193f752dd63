using System.Diagnostics;

namespace MeshL4.TestKit;

/// <summary>
/// How long a test that reads turn by turn was held up, as by a machine that stands still. It waits for what it reads in turns too, so that only its own time is
/// ever long.
/// </summary>
internal sealed class Turns
{
    /// <summary>What it waits for in one turn at most.</summary>
    public static readonly TimeSpan Wait = TimeSpan.FromMilliseconds(10);

    /// <summary>So many together count: a piece that it took between two pauses may be too little to be seen.</summary>
    private const int Together = 4;

    /// <summary>A proxy gives a client that holds others back a quarter of a second, and looks at it every 50 ms: what it took before a look may not count.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(200);

    private readonly List<long> _ends = [];

    /// <summary>Whether the proxy could not tell it from a client that does not read.</summary>
    public bool WereHeldUp =>
        Enumerable.Range(0, _ends.Count).Any(at => Stopwatch.GetElapsedTime(_ends[Math.Max(0, at - Together)], _ends[at]) >= Least);

    /// <summary>One is over; the first of all begins.</summary>
    public void Next() => _ends.Add(Stopwatch.GetTimestamp());
}
