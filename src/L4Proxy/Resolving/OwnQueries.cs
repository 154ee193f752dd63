namespace MeshL4.L4Proxy.Resolving;

/// <summary>
/// Knows questions of this process by local port and id, over all loops. One that comes back as a client's was captured again (the
/// rules do not exempt the proxy) and would go round for ever. Two in flight may share a mark, and the end of one then hides the
/// other: a loop meets the next mark.
/// </summary>
internal sealed class OwnQueries
{
    private readonly int[] _ports = new int[(ushort.MaxValue + 1) / 32];
    private readonly int[] _ids = new int[(ushort.MaxValue + 1) / 32];

    public void Sent(int port, ushort id)
    {
        Interlocked.Or(ref _ports[port >> 5], 1 << (port & 31));
        Interlocked.Or(ref _ids[id >> 5], 1 << (id & 31));
    }

    public void Over(int port, ushort id)
    {
        Interlocked.And(ref _ports[port >> 5], ~(1 << (port & 31)));
        Interlocked.And(ref _ids[id >> 5], ~(1 << (id & 31)));
    }

    /// <summary>True when both the port and the id of a question are those of one of ours in flight.</summary>
    public bool IsOurs(int port, ushort id) => Has(_ports, port) && Has(_ids, id);

    private static bool Has(int[] bits, int at) => (Volatile.Read(ref bits[at >> 5]) & (1 << (at & 31))) != 0;
}
