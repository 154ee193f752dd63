using MeshL4.L4Proxy.Config.Snapshots.XRpc;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// How long a client of one loop that takes nothing may hold others back who wait for the same server connection. Each that has to be
/// closed for it shortens the time of the next: thousands that never read cost the others about a second together, not a time-out each.
/// With nobody closed, patience comes back within seconds. A client that has shown of late that it reads, if slowly, has the whole time.
/// Belongs to one loop.
/// </summary>
internal sealed class SharedPatience
{
    /// <summary>Time between two calls of <see cref="Tick"/>.</summary>
    public static readonly TimeSpan TickInterval = XRpcUpstreamSnapshot.LeastHealthCheckInterval;

    private const double MostMilliseconds = 250;
    private const double MostClosed = 16;

    /// <summary>Half is forgotten in 1.7 s.</summary>
    private const double KeptByTick = 0.98;

    private double _closed;

    /// <summary>The time now, of a client that may be one that never reads.</summary>
    public double Milliseconds => MostMilliseconds / (1 + _closed);

    /// <summary>Too little is left to wait for the clock: a client that holds others back is closed at once.</summary>
    public bool IsExhausted => Milliseconds <= TickInterval.TotalMilliseconds;

    /// <summary>The time of a client.</summary>
    /// <param name="reads">It has shown of late that it does.</param>
    public double For(bool reads) => reads ? MostMilliseconds : Milliseconds;

    /// <summary>A client was closed for holding others back.</summary>
    public void Closed() => _closed = Math.Min(_closed + 1, MostClosed);

    /// <summary>Time has passed.</summary>
    public void Tick() => _closed *= KeptByTick;
}
