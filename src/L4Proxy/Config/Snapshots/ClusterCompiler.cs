using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>
/// Meets clusters with their endpoints and their live state. Only what was marked is looked at again, so that one changed endpoint
/// among ten thousand clusters costs one cluster. Not safe for several threads.
/// </summary>
internal sealed class ClusterCompiler(
    ClusterStateRegistry states, IResolvedNames names, ResourceTable<ClusterConfig> clusters, SourcedTables<ImmutableArray<EndpointConfig>> endpoints)
{
    private readonly Dictionary<string, CompiledCluster> _compiled = new(StringComparer.Ordinal);
    private readonly HashSet<string> _marked = new(StringComparer.Ordinal);
    private readonly HashSet<string> _warming = new(StringComparer.Ordinal);
    private readonly HashSet<string> _named = new(StringComparer.Ordinal);
    private readonly HashSet<(string Source, string Service)> _givenUp = [];

    // Clusters by the name their endpoints come under, where that is not their own.
    private readonly Dictionary<string, HashSet<string>> _byService = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _serviceOf = new(StringComparer.Ordinal);

    // State of what left and may still have connections.
    private readonly HashSet<string> _leaving = new(StringComparer.Ordinal);
    private ImmutableDictionary<string, ClusterSnapshot> _snapshots = ImmutableDictionary.Create<string, ClusterSnapshot>(StringComparer.Ordinal);

    /// <summary>Set when endpoints of streams are subscribed to by the first connection: then no cluster waits for them.</summary>
    public LazyEndpoints? Lazy { get; set; }

    /// <summary>Names of clusters that wait for their first endpoints or names.</summary>
    public IReadOnlyList<string> Warming
    {
        get
        {
            foreach (string name in _marked)
            {
                if (clusters.Held.TryGetValue(name, out HeldResource<ClusterConfig>? held) && IsWarming(held.Compiled))
                {
                    _warming.Add(name);
                }
                else
                {
                    _warming.Remove(name);
                }
            }

            return [.. _warming];
        }
    }

    /// <summary>Clusters changed, came or went.</summary>
    public void ClustersChanged(AppliedUpdate applied)
    {
        foreach (string name in applied.Changed.Concat(applied.Dropped))
        {
            ClusterSnapshot? template = clusters.Held.GetValueOrDefault(name)?.Compiled.Template;
            Refer(name, template is { Discovery: ClusterDiscovery.Eds } && template.EdsServiceName != name ? template.EdsServiceName : null);
            if (template?.DnsTargets.IsEmpty == false)
            {
                _named.Add(name);
            }
            else
            {
                _named.Remove(name);
            }

            _marked.Add(name);
        }
    }

    /// <summary>Endpoints came under these names, from whatever source.</summary>
    public void EndpointsChanged(IEnumerable<string> services)
    {
        foreach (string service in services)
        {
            _marked.Add(service);
            _marked.UnionWith(_byService.GetValueOrDefault(service) ?? []);
        }
    }

    /// <summary>Addresses of names may have changed.</summary>
    public void NamesAnswered() => _marked.UnionWith(_named);

    /// <summary>Whether endpoints of a source under this name are still to come: none came, not even an empty list, and they were not given up.</summary>
    public bool Lacks(string source, string service) => endpoints.Find(source, service) is null && !_givenUp.Contains((source, service));

    /// <summary>Waits no longer for endpoints of a source under these names: their clusters serve without.</summary>
    public void GiveUp(string source, IReadOnlyCollection<string> services)
    {
        _givenUp.UnionWith(services.Select(service => (source, service)));
        EndpointsChanged(services);
    }

    /// <summary>Waits again for endpoints of a source under these names when a cluster refers to them.</summary>
    public void Forget(string source, IReadOnlyCollection<string> services)
    {
        _givenUp.ExceptWith(services.Select(service => (source, service)));
        EndpointsChanged(services);
    }

    /// <summary>Compiles what was marked. A cluster that is not warm keeps the version before, and stands out while there is none.</summary>
    public ImmutableDictionary<string, ClusterSnapshot> Build()
    {
        _ = Warming;
        ImmutableDictionary<string, ClusterSnapshot>.Builder next = _snapshots.ToBuilder();
        foreach (string name in _marked)
        {
            if (!clusters.Held.TryGetValue(name, out HeldResource<ClusterConfig>? held))
            {
                Remove(name, next);
            }
            else if (!_warming.Contains(name))
            {
                CompiledCluster compiled = Compile(held.Compiled, EndpointsOf(held.Compiled));
                EndpointSet.Prepare(compiled.Snapshot, _compiled.GetValueOrDefault(name)?.Snapshot);
                _compiled[name] = compiled;
                next[name] = compiled.Snapshot;
                _leaving.Add(name);
            }
        }

        _marked.Clear();
        return _snapshots = next.ToImmutable();
    }

    /// <summary>All clusters as if they were warm, for checking: nothing of it is kept.</summary>
    public ImmutableDictionary<string, ClusterSnapshot> Preview() => clusters.Held.ToImmutableDictionary(
        static held => held.Key, held => Compile(held.Value.Compiled, EndpointsOf(held.Value.Compiled)).Snapshot, StringComparer.Ordinal);

    /// <summary>Forgets live state nobody needs any more, of what changed since; called after the swap.</summary>
    public void Prune() => _leaving.RemoveWhere(name =>
    {
        if (!_compiled.TryGetValue(name, out CompiledCluster? cluster))
        {
            return states.Remove(name);
        }

        // Endpoints of an ORIGINAL_DST cluster come and go with connections and are in no snapshot.
        return cluster.Snapshot.Discovery == ClusterDiscovery.OriginalDestination || cluster.Snapshot.State.Retain(cluster.Snapshot.Endpoints);
    });

    private void Remove(string name, ImmutableDictionary<string, ClusterSnapshot>.Builder next)
    {
        if (_compiled.Remove(name))
        {
            next.Remove(name);
            _leaving.Add(name);
        }
    }

    private void Refer(string cluster, string? service)
    {
        if (_serviceOf.Remove(cluster, out string? before) && _byService[before].Remove(cluster) && _byService[before].Count == 0)
        {
            _byService.Remove(before);
        }

        if (service is not null)
        {
            _serviceOf[cluster] = service;
            (_byService.TryGetValue(service, out HashSet<string>? users) ? users : _byService[service] = new(StringComparer.Ordinal)).Add(cluster);
        }
    }

    private bool IsWarming(ClusterConfig cluster) => cluster.Template.Discovery switch
    {
        ClusterDiscovery.Eds => Lazy is null && Lacks(cluster),
        ClusterDiscovery.StrictDns or ClusterDiscovery.LogicalDns
            => cluster.Template.DnsTargets.Any(target => !names.IsSettled(target.Host, cluster.Template.DnsFamily)),
        _ => false,
    };

    private bool Lacks(ClusterConfig cluster) => cluster.EdsStream is not null && Lacks(cluster.EdsSource, cluster.Template.EdsServiceName);

    private ImmutableArray<EndpointConfig> EndpointsOf(ClusterConfig cluster) => cluster.Template.Discovery switch
    {
        ClusterDiscovery.Eds => endpoints.Find(cluster.EdsSource, cluster.Template.EdsServiceName)?.Compiled ?? [],
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

    private CompiledCluster Compile(ClusterConfig config, ImmutableArray<EndpointConfig> found)
    {
        string name = config.Template.Name;
        bool known = !Lacks(config);
        if (_compiled.TryGetValue(name, out CompiledCluster? running) && ReferenceEquals(running.Config, config)
            && running.Snapshot.EndpointsKnown == known && running.Endpoints.AsSpan().SequenceEqual(found.AsSpan()))
        {
            return running;
        }

        ClusterState state = states.Get(name);
        ClusterSnapshot snapshot = config.Template with
        {
            State = state,
            Endpoints = EndpointSelection.Compile(config, found, state, running?.Snapshot.Endpoints ?? []),
            EndpointsKnown = known,
            OnDemand = config.EdsStream is null ? null : Lazy,
        };
        return new CompiledCluster(config, found, snapshot);
    }

    private sealed record CompiledCluster(ClusterConfig Config, ImmutableArray<EndpointConfig> Endpoints, ClusterSnapshot Snapshot);
}
