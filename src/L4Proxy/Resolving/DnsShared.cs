using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>What the DNS proxies of all loops share.</summary>
/// <param name="config">Settings.</param>
/// <param name="servers">Where other names are asked for, none of them this proxy.</param>
/// <param name="context">Where short names begin.</param>
/// <param name="loops">How many loops there are: each has its part of the limits.</param>
/// <param name="settled">False while the first name table may still come.</param>
internal sealed class DnsShared(
    DnsProxyConfig config, ImmutableArray<IPEndPoint> servers, NameContext context, int loops, Func<bool> settled)
{
    private readonly Lock _following = new();
    private volatile NameIndex? _index;

    public DnsProxyConfig Config => config;

    public ImmutableArray<IPEndPoint> Servers => servers;

    public DnsCounters Counters { get; } = new();

    public OwnQueries OwnQueries { get; } = new();

    /// <summary>Counts the clients over TCP.</summary>
    public ConnectionGate TcpClients { get; } = new(config.MaxTcpConnections);

    /// <summary>Questions over UDP that may wait for a server on one loop.</summary>
    public int MostPending { get; } = Math.Max(1, config.MaxPendingQueries / loops);

    /// <summary>Time to live of answers from the table.</summary>
    public uint Seconds { get; } = (uint)config.AnswerTimeToLive.TotalSeconds;

    /// <summary>The names of the mesh; null before there is a table.</summary>
    public NameIndex? Index => _index;

    /// <summary>True while questions must wait: a name of the mesh would be asked for elsewhere, and be unknown there.</summary>
    public bool AwaitsTable => _index is null && !settled();

    /// <summary>Takes the table of the running snapshot and, from now on, of every new one.</summary>
    public void Follow(SnapshotStore snapshots)
    {
        snapshots.Swapped += (_, _) => Take(snapshots);
        Take(snapshots);
    }

    /// <summary>Takes a table; the same table costs nothing.</summary>
    public void Apply(NameTableSnapshot? table)
    {
        if (!ReferenceEquals(_index?.Table, table))
        {
            _index = table is null ? null : new NameIndex(table, context);
            Volatile.Write(ref Counters.Hosts, table?.Entries.Length ?? 0);
        }
    }

    /// <summary>Whoever comes last reads last: an older table cannot follow a newer.</summary>
    private void Take(SnapshotStore snapshots)
    {
        lock (_following)
        {
            Apply(snapshots.Current.Names);
        }
    }
}
