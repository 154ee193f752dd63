using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Validating;
using Cluster = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3.Cluster;
using ClusterLoadAssignment = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3.ClusterLoadAssignment;
using NameTable = MeshL4.L4Proxy.Config.Protos.Istio.Networking.Nds.V1.NameTable;
using Listener = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Listener;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>Addresses a name resolved to last; empty before the first answer.</summary>
internal interface IResolvedNames
{
    ImmutableArray<IPAddress> Lookup(string host, DnsLookupFamily family);

    /// <summary>False while the first answer about a name is awaited; a failure and a time-out count as answers.</summary>
    bool IsSettled(string host, DnsLookupFamily family);
}

/// <summary>
/// Holds the last good version of every resource and compiles them into one snapshot. What did not change keeps its compiled
/// object. Not safe for several threads: its owner locks.
/// </summary>
internal sealed class SnapshotBuilder
{
    private readonly ResourceTable<ImmutableArray<ListenerSnapshot>> _listeners;

    private readonly ResourceTable<ClusterConfig> _clusters = new(
        TypeUrls.Cluster, static message => ((Cluster)message).Name, static (message, scope) => ClusterDecoder.Decode((Cluster)message, scope), true);

    private readonly SourcedTables<ImmutableArray<EndpointConfig>> _endpoints = new(
        TypeUrls.Endpoints, static message => ((ClusterLoadAssignment)message).ClusterName,
        static (_, message, scope) => EndpointsDecoder.Decode((ClusterLoadAssignment)message, false, scope)) { Carry = EndpointContinuity.Keep };

    private readonly ResourceTable<NameTableSnapshot> _nameTables = new(
        TypeUrls.NameTable, static _ => TypeUrls.NameTableName, static (message, scope) => NameTableDecoder.Decode((NameTable)message, scope), false);

    private readonly ClusterCompiler _compiler;
    private readonly ListenerWarming _warming;

    public SnapshotBuilder(ClusterStateRegistry states, IResolvedNames names)
    {
        _compiler = new ClusterCompiler(states, names, _clusters, _endpoints);
        _listeners = new ResourceTable<ImmutableArray<ListenerSnapshot>>(
            TypeUrls.Listener, static message => NameOf((Listener)message), (message, scope) => DecodeListener((Listener)message, scope), true)
        {
            Conflicts = static () => new ListenerAddresses(),
            Carry = ChainContinuity.Keep,
            Accepted = ChainContinuity.TakeRoutes,
        };
        Discovered = new DiscoveredResources(key => ListenerNeeds.Where(need => need.Key == key));
        _warming = new ListenerWarming(Discovered, () => CodecRules);
    }

    /// <summary>Route configurations, secrets and the settings of filters.</summary>
    public DiscoveredResources Discovered { get; }

    /// <summary>What the running resources name, other than clusters and endpoints.</summary>
    public IEnumerable<ResourceNeed> Needs => ListenerNeeds.Concat(_clusters.Held.Values.SelectMany(static cluster => cluster.Compiled.Secrets));

    /// <summary>Equal for as long as <see cref="Needs"/> are the same.</summary>
    public (long Listeners, long Clusters, long Discovered) NeedsVersion => (_listeners.Generation, _clusters.Generation, Discovered.Version);

    /// <summary>Listeners that wait for what they name, as <c>listener: Type/name</c>; of a changed one the version before serves on.</summary>
    public IReadOnlyList<string> WarmingListeners => _warming.WaitingOf(_listeners);

    private IEnumerable<ResourceNeed> ListenerNeeds => _listeners.Held.Values.SelectMany(listener => _warming.NeedsOf(listener.Compiled));

    /// <summary>Where HTTP goes, from the bootstrap.</summary>
    public HttpHandoffSnapshot? Handoff { get; set; }

    /// <summary>Which <c>tcp_proxy</c> chains a codec reads, from the bootstrap.</summary>
    public ImmutableArray<CodecRuleSnapshot> CodecRules { get; set; } = [];

    /// <summary>Set, before the first update, when endpoints of streams are subscribed to by the first connection.</summary>
    public LazyEndpoints? Lazy
    {
        get => _compiler.Lazy;
        set => _compiler.Lazy = value;
    }

    /// <summary>The EDS files the running clusters name.</summary>
    public IEnumerable<FileSourceConfig> EdsFiles
        => _clusters.Held.Values.Select(cluster => cluster.Compiled.EdsFile).OfType<FileSourceConfig>().DistinctBy(file => file.Path);

    /// <summary>The clusters as configured, warm or not.</summary>
    public IEnumerable<ClusterConfig> Clusters => _clusters.Held.Values.Select(cluster => cluster.Compiled);

    /// <summary>Another number after each change of clusters.</summary>
    public long ClusterGeneration => _clusters.Generation;

    /// <summary>Names of clusters that wait for their first endpoints; of a changed one the version before serves on.</summary>
    public IReadOnlyList<string> Warming => _compiler.Warming;

    /// <summary>Waits no longer for endpoints of a source under these names: their clusters serve without.</summary>
    public void GiveUp(string source, IReadOnlyCollection<string> services) => _compiler.GiveUp(source, services);

    /// <summary>Whether endpoints of a source under this name are still to come.</summary>
    public bool LacksEndpoints(string source, string service) => _compiler.Lacks(source, service);

    /// <summary>Waits again for endpoints of a source under these names when a cluster refers to them.</summary>
    public void Forget(string source, IReadOnlyCollection<string> services) => _compiler.Forget(source, services);

    /// <summary>Addresses of names may have changed: what is made of them is compiled again.</summary>
    public void NamesAnswered() => _compiler.NamesAnswered();

    /// <summary>Applies one update. An unknown type is an error outside of resources.</summary>
    public AppliedUpdate Apply(ResourceUpdate update)
    {
        switch (update.TypeUrl)
        {
            case TypeUrls.Listener:
                return _listeners.Apply(update);
            case TypeUrls.Cluster:
                AppliedUpdate clusters = _clusters.Apply(update);
                _compiler.ClustersChanged(clusters);
                return clusters;
            case TypeUrls.Endpoints:
                AppliedUpdate endpoints = _endpoints.Apply(update);
                _compiler.EndpointsChanged(endpoints.Changed.Concat(endpoints.Dropped));
                return endpoints;
            case TypeUrls.NameTable:
                return _nameTables.Apply(update);
            case var other when DiscoveredResources.Types.Contains(other):
                return Discovered.Apply(update);
            default:
                update.Issues.Error("type_url", $"'{update.TypeUrl}' is not a type this proxy takes");
                return AppliedUpdate.Nothing;
        }
    }

    /// <summary>Compiles what changed. What is not warm keeps the version before, and stands out while there is none.</summary>
    public ProxySnapshot Build() => Snapshot(_compiler.Build(), _warming.Publish(_listeners));

    /// <summary>What it will be when everything is warm, for checking: nothing of it is kept.</summary>
    public ProxySnapshot Preview() => Snapshot(_compiler.Preview(), _warming.Preview(_listeners));

    /// <summary>Forgets live state nobody needs any more; called after the swap.</summary>
    public void Prune() => _compiler.Prune();

    private ProxySnapshot Snapshot(ImmutableDictionary<string, ClusterSnapshot> clusters, ImmutableArray<ListenerSnapshot> listeners) => new()
    {
        Listeners = listeners,
        Clusters = clusters,
        Handoff = Handoff,
        HealthCheckIntervals = _warming.HealthCheckIntervals,
        Names = _nameTables.Held.GetValueOrDefault(TypeUrls.NameTableName)?.Compiled,
    };

    private ImmutableArray<ListenerSnapshot> DecodeListener(Listener listener, DecodeScope scope)
    {
        ImmutableArray<ListenerSnapshot> decoded = CodecRuleSnapshot.Apply(ListenerDecoder.Decode(listener, scope), CodecRules, scope);
        ListenerRules.CheckOne(decoded, scope);
        return decoded;
    }

    /// <summary>
    /// A listener may have no name; its address stands for it, as in its snapshot. Envoy names it by a random UUID and so makes a new
    /// one with each update.
    /// </summary>
    internal static string NameOf(Listener listener)
        => listener.Name.Length > 0 || listener.Address?.SocketAddress is not { } address ? listener.Name
            : AddressDecoder.TryParse(address.Address, out IPAddress? ip) && address.PortValue <= ushort.MaxValue
                ? new IPEndPoint(ip, (int)address.PortValue).ToString() : "";
}
