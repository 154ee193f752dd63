using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>
/// Counters of connections by listener, by terminal filter, and in Istio's terms, under their configured names; each table is bounded,
/// names beyond the bound share one entry called <c>other</c>.
/// </summary>
internal sealed class ConnectionCounters : IMetricSource
{
    private const string Other = BoundedTable<string, ListenerCounters>.Other;

    private readonly BoundedTable<string, ListenerCounters> _listeners = new(static _ => Other, static name => new ListenerCounters(name));

    private readonly BoundedTable<(string Scope, string Prefix), TerminalCounters> _terminals
        = new(static key => (key.Scope, Other), static key => new TerminalCounters(key.Scope, key.Prefix));

    private readonly BoundedTable<string, UdpCounters> _udp = new(static _ => Other, static prefix => new UdpCounters(prefix));
    private readonly BoundedTable<MeshLabels, MeshCounters> _mesh = new(static labels => labels with { Cluster = Other }, static labels => new MeshCounters(labels));

    /// <summary>Downstream connections open now, over all listeners.</summary>
    public long Active => _listeners.Values.Sum(static listener => listener.Active);

    /// <summary>The counters of a listener. A snapshot remembers them: its name need not be made and looked up for each connection.</summary>
    public ListenerCounters Listener(ListenerSnapshot listener)
        => listener.Counting().Of(listener) is { } known && known.By == this ? known.Counters
            : Remember(ref listener.Counting(), listener, _listeners.Get(ListenerCounters.NameOf(listener)));

    public TerminalCounters Terminal(TerminalSnapshot terminal)
        => terminal.Counting().Of(terminal) is { } known && known.By == this ? known.Counters
            : Remember(ref terminal.Counting(), terminal, _terminals.Get((TerminalCounters.ScopeOf(terminal), terminal.StatPrefix)));

    public UdpCounters Udp(UdpProxySnapshot proxy) => _udp.Get(proxy.StatPrefix);

    public MeshCounters Mesh(ConnectionRecord record) => _mesh.Get(MeshLabels.Of(record));

    public void Collect(IMetricVisitor visitor)
    {
        foreach (ListenerCounters listener in _listeners.Values)
        {
            listener.Collect(visitor);
        }

        foreach (TerminalCounters terminal in _terminals.Values)
        {
            terminal.Collect(visitor);
        }

        foreach (UdpCounters udp in _udp.Values)
        {
            udp.Collect(visitor);
        }

        foreach (MeshCounters mesh in _mesh.Values)
        {
            mesh.Collect(visitor);
        }
    }

    private T Remember<T>(ref Derived<Counting<T>> place, object owner, T counters)
    {
        place.Replace(owner, place.Of(owner), new Counting<T>(this, counters));
        return counters;
    }
}

/// <summary>Where something of the configuration is counted.</summary>
/// <param name="By">Whose counters these are: a process has one, tests have many.</param>
/// <param name="Counters">The counters.</param>
internal sealed record Counting<T>(ConnectionCounters By, T Counters);
