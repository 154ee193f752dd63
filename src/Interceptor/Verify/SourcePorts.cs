namespace MeshL4.Interceptor.Verify;

/// <summary>Ports for probes to be sent from, in no order, none of them twice. The kernel remembers for minutes what it decided for a
/// connection, and what has the ports of an earlier one goes that one's way, whatever the rules say now. Ports that somebody has come last:
/// in transparent mode a probe from the port of a running server would have the rules forget that it serves. Safe from any thread.</summary>
internal sealed class SourcePorts
{
    private const int First = 20000;
    private const int Count = 30000;

    private readonly int[] _ports = [.. Enumerable.Range(First, Count)];
    private int _taken = -1;

    /// <summary>All ports, shuffled.</summary>
    /// <param name="inUse">Local ports of the pod's sockets.</param>
    public SourcePorts(params IEnumerable<int> inUse)
    {
        Random.Shared.Shuffle(_ports);
        HashSet<int> others = [.. inUse];
        _ports = [.. _ports.OrderBy(others.Contains)];
    }

    /// <summary>One that was not given out before.</summary>
    /// <exception cref="InvalidOperationException">There is none left: probes are a few hundred.</exception>
    public int Next()
    {
        int index = Interlocked.Increment(ref _taken);
        return index < Count ? _ports[index] : throw new InvalidOperationException("every source port has been used");
    }
}
