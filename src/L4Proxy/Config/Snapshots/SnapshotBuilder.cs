using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Decoding;
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
internal sealed class SnapshotBuilder(ClusterStateRegistry states, IResolvedNames names)
{
    private readonly ResourceTable<ImmutableArray<ListenerSnapshot>> _listeners = new(
        TypeUrls.Listener, static message => NameOf((Listener)message), static (message, scope) => DecodeListener((Listener)message, scope), true)
    {
        Conflicts = static () => new ListenerAddresses(),
        Carry = ChainContinuity.Keep,
    };

    private readonly ResourceTable<ClusterConfig> _clusters = new(
        TypeUrls.Cluster, static message => ((Cluster)message).Name, static (message, scope) => ClusterDecoder.Decode((Cluster)message, scope), true);

    private readonly ResourceTable<ImmutableArray<EndpointConfig>> _endpoints = new(
        TypeUrls.Endpoints, static message => ((ClusterLoadAssignment)message).ClusterName,
        static (message, scope) => EndpointsDecoder.Decode((ClusterLoadAssignment)message, false, scope), false);

    private readonly ResourceTable<NameTableSnapshot> _nameTables = new(
        TypeUrls.NameTable, static _ => TypeUrls.NameTableName, static (message, scope) => NameTableDecoder.Decode((NameTable)message, scope), false);

    private readonly HashSet<string> _givenUp = new(StringComparer.Ordinal);
    private (object? Of, ImmutableArray<ListenerSnapshot> Listeners) _listed = (null, []);

    private Dictionary<string, CompiledCluster> _compiled = new(StringComparer.Ordinal);

    /// <summary>Where HTTP goes, from the bootstrap.</summary>
    public HttpHandoffSnapshot? Handoff { get; set; }

    /// <summary>The EDS files the running clusters name.</summary>
    public IEnumerable<FileSourceConfig> EdsFiles
        => _clusters.Held.Values.Select(cluster => cluster.Compiled.EdsFile).OfType<FileSourceConfig>().DistinctBy(file => file.Path);

    /// <summary>The clusters as configured, warm or not.</summary>
    public IEnumerable<ClusterConfig> Clusters => _clusters.Held.Values.Select(cluster => cluster.Compiled);

    /// <summary>Another object after each update of clusters, the same one in between.</summary>
    public object ClusterTable => _clusters.Held;

    /// <summary>Names of clusters that wait for their first endpoints; of a changed one the version before serves on.</summary>
    public IReadOnlyList<string> Warming => [.. _clusters.Held.Where(cluster => IsWarming(cluster.Value.Compiled)).Select(cluster => cluster.Key)];

    /// <summary>Waits no longer for endpoints under these names: their clusters serve without.</summary>
    public void GiveUp(IEnumerable<string> services) => _givenUp.UnionWith(services);

    /// <summary>Whether no endpoints came under this name, not even none.</summary>
    public bool LacksEndpoints(string service) => !_endpoints.Held.ContainsKey(service);

    /// <summary>Waits again for endpoints under these names when a cluster refers to them.</summary>
    public void Forget(IEnumerable<string> services) => _givenUp.ExceptWith(services);

    /// <summary>Applies one update; returns the names that now run as sent. An unknown type is an error outside of resources.</summary>
    public IReadOnlyCollection<string> Apply(ResourceUpdate update)
    {
        switch (update.TypeUrl)
        {
            case TypeUrls.Listener:
                return _listeners.Apply(update);
            case TypeUrls.Cluster:
                return _clusters.Apply(update);
            case TypeUrls.Endpoints:
                return _endpoints.Apply(update);
            case TypeUrls.NameTable:
                return _nameTables.Apply(update);
            default:
                update.Issues.Error("type_url", $"'{update.TypeUrl}' is not a type this proxy takes");
                return [];
        }
    }

    /// <summary>Names of the running resources of one type and source.</summary>
    public IReadOnlySet<string> NamesFrom(string typeUrl, string source) => typeUrl switch
    {
        TypeUrls.Listener => _listeners.NamesFrom(source),
        TypeUrls.Cluster => _clusters.NamesFrom(source),
        TypeUrls.Endpoints => _endpoints.NamesFrom(source),
        TypeUrls.NameTable => _nameTables.NamesFrom(source),
        _ => FrozenSet<string>.Empty,
    };

    /// <summary>Compiles what is held now. A cluster that is not warm keeps the version before, and stands out while there is none.</summary>
    public ProxySnapshot Build()
    {
        _compiled = CompileAll(warmOnly: true);
        return Snapshot(_compiled);
    }

    /// <summary>What it will be when everything is warm, for checking: nothing of it is kept.</summary>
    public ProxySnapshot Preview() => Snapshot(CompileAll(warmOnly: false));

    private Dictionary<string, CompiledCluster> CompileAll(bool warmOnly)
    {
        var compiled = new Dictionary<string, CompiledCluster>(StringComparer.Ordinal);
        foreach ((string name, HeldResource<ClusterConfig> held) in _clusters.Held)
        {
            if (!warmOnly || !IsWarming(held.Compiled))
            {
                compiled[name] = Compile(held.Compiled, EndpointsOf(held.Compiled));
            }
            else if (_compiled.TryGetValue(name, out CompiledCluster? before))
            {
                compiled[name] = before;
            }
        }

        return compiled;
    }

    private ProxySnapshot Snapshot(Dictionary<string, CompiledCluster> compiled) => new()
    {
        Listeners = Listeners(),
        Clusters = compiled.ToFrozenDictionary(cluster => cluster.Key, cluster => cluster.Value.Snapshot, StringComparer.Ordinal),
        Handoff = Handoff,
        Names = _nameTables.Held.GetValueOrDefault(TypeUrls.NameTableName)?.Compiled,
    };

    /// <summary>One list for as long as no listener changes: what is compiled from it (hand-over by address) is kept with it.</summary>
    private ImmutableArray<ListenerSnapshot> Listeners()
    {
        if (!ReferenceEquals(_listed.Of, _listeners.Held))
        {
            _listed = (_listeners.Held, [.. _listeners.Held.Values.SelectMany(listener => listener.Compiled)]);
        }

        return _listed.Listeners;
    }

    private bool IsWarming(ClusterConfig cluster) => cluster.Template.Discovery switch
    {
        ClusterDiscovery.Eds => cluster.EdsStream is not null && !_endpoints.Held.ContainsKey(cluster.Template.EdsServiceName)
            && !_givenUp.Contains(cluster.Template.EdsServiceName),
        ClusterDiscovery.StrictDns or ClusterDiscovery.LogicalDns
            => cluster.Template.DnsTargets.Any(target => !names.IsSettled(target.Host, cluster.Template.DnsFamily)),
        _ => false,
    };

    /// <summary>Forgets live state nobody needs any more; called after the swap.</summary>
    public void Prune()
    {
        states.Prune(_compiled.Keys.ToHashSet(StringComparer.Ordinal));
        foreach (CompiledCluster cluster in _compiled.Values)
        {
            // Endpoints of an ORIGINAL_DST cluster come and go with connections and are in no snapshot.
            if (cluster.Snapshot.Discovery != ClusterDiscovery.OriginalDestination)
            {
                cluster.Snapshot.State.Retain(cluster.Endpoints.Select(endpoint => endpoint.Address!).ToHashSet());
            }
        }
    }

    private ImmutableArray<EndpointConfig> EndpointsOf(ClusterConfig cluster) => cluster.Template.Discovery switch
    {
        ClusterDiscovery.Eds => _endpoints.Held.TryGetValue(cluster.Template.EdsServiceName, out var assigned) ? assigned.Compiled : [],
        ClusterDiscovery.StrictDns => [.. cluster.Endpoints.SelectMany(endpoint => Resolve(endpoint, cluster.Template.DnsFamily))],

        // One logical endpoint: new connections go to the first address of the newest answer.
        ClusterDiscovery.LogicalDns => [.. cluster.Endpoints.SelectMany(endpoint => Resolve(endpoint, cluster.Template.DnsFamily).Take(1))],
        _ => cluster.Endpoints,
    };

    private IEnumerable<EndpointConfig> Resolve(EndpointConfig endpoint, DnsLookupFamily family)
        => names.Lookup(endpoint.Host, family).Select(address => endpoint with
        {
            Address = new IPEndPoint(address, endpoint.Port),
            Hostname = endpoint.Hostname.Length > 0 ? endpoint.Hostname : endpoint.Host,
        });

    private CompiledCluster Compile(ClusterConfig config, ImmutableArray<EndpointConfig> endpoints)
    {
        string name = config.Template.Name;
        if (_compiled.TryGetValue(name, out CompiledCluster? running) && ReferenceEquals(running.Config, config)
            && running.Endpoints.AsSpan().SequenceEqual(endpoints.AsSpan()))
        {
            return running;
        }

        ClusterState state = states.Get(name);
        ClusterSnapshot snapshot = config.Template with { State = state, Endpoints = EndpointSelection.Compile(config, endpoints, state) };
        return new CompiledCluster(config, endpoints, snapshot);
    }

    private static ImmutableArray<ListenerSnapshot> DecodeListener(Listener listener, DecodeScope scope)
    {
        ImmutableArray<ListenerSnapshot> decoded = ListenerDecoder.Decode(listener, scope);
        ListenerRules.CheckOne(decoded, scope);
        return decoded;
    }

    /// <summary>A static listener may have no name; its address stands for it, as in its snapshot.</summary>
    internal static string NameOf(Listener listener)
        => listener.Name.Length > 0 || listener.Address?.SocketAddress is not { } address ? listener.Name
            : IPAddress.TryParse(address.Address, out IPAddress? ip) && address.PortValue <= ushort.MaxValue
                ? new IPEndPoint(ip, (int)address.PortValue).ToString() : "";

    private sealed record CompiledCluster(ClusterConfig Config, ImmutableArray<EndpointConfig> Endpoints, ClusterSnapshot Snapshot);
}
