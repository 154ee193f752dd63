using System.Collections.Concurrent;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>
/// Counters of connections by listener, by terminal filter, and in Istio's terms. Found by configured names once per
/// connection; each table is bounded, names beyond the bound share one entry called <c>other</c>.
/// </summary>
internal sealed class ConnectionCounters : IMetricSource
{
    /// <summary>Names kept per table.</summary>
    public const int MaxNames = 4096;

    private const string Other = "other";

    private readonly ConcurrentDictionary<string, ListenerCounters> _listeners = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Scope, string Prefix), TerminalCounters> _terminals = new();
    private readonly ConcurrentDictionary<string, UdpCounters> _udp = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<MeshLabels, MeshCounters> _mesh = new();

    /// <summary>Downstream connections open now, over all listeners.</summary>
    public long Active => _listeners.Values.Sum(static listener => listener.Active);

    public ListenerCounters Listener(ListenerSnapshot listener)
    {
        string name = ListenerCounters.NameOf(listener);
        return _listeners.TryGetValue(name, out ListenerCounters? known)
            ? known
            : _listeners.GetOrAdd(Bounded(_listeners.Count, name), static n => new ListenerCounters(n));
    }

    public TerminalCounters Terminal(TerminalSnapshot terminal)
    {
        (string Scope, string Prefix) key = (TerminalCounters.ScopeOf(terminal), terminal.StatPrefix);
        return _terminals.TryGetValue(key, out TerminalCounters? known)
            ? known
            : _terminals.GetOrAdd((key.Scope, Bounded(_terminals.Count, key.Prefix)), static k => new TerminalCounters(k.Scope, k.Prefix));
    }

    public UdpCounters Udp(UdpProxySnapshot proxy) => _udp.TryGetValue(proxy.StatPrefix, out UdpCounters? known)
        ? known
        : _udp.GetOrAdd(Bounded(_udp.Count, proxy.StatPrefix), static p => new UdpCounters(p));

    public MeshCounters Mesh(ConnectionRecord record)
    {
        MeshLabels labels = MeshLabels.Of(record);
        return _mesh.TryGetValue(labels, out MeshCounters? known)
            ? known
            : _mesh.GetOrAdd(
                labels with { Cluster = Bounded(_mesh.Count, labels.Cluster) }, static l => new MeshCounters(l));
    }

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

    private static string Bounded(int count, string name) => count < MaxNames ? name : Other;
}
