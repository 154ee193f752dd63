using System.Collections.Immutable;
using System.IO.Enumeration;
using System.Net;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>A rule that has a codec read what a control plane sends as <c>tcp_proxy</c>. The chain's clusters stay.</summary>
/// <param name="ClusterPattern">With <c>*</c> for any text; empty takes every cluster.</param>
/// <param name="Port">Destination port; 0 takes every port.</param>
/// <param name="Proxy">All but the routes and the prefix of the metrics.</param>
internal sealed record CodecRuleSnapshot(string ClusterPattern, int Port, XRpcProxy Proxy)
{
    /// <summary>The listeners, with a codec in the chains that a rule takes.</summary>
    public static ImmutableArray<ListenerSnapshot> Apply(ImmutableArray<ListenerSnapshot> listeners, ImmutableArray<CodecRuleSnapshot> rules, DecodeScope scope) =>
        rules.IsEmpty ? listeners : [.. listeners.Select(listener => listener.WithChains(chain => Apply(chain, listener, rules, scope)))];

    /// <summary>A chain of a listener, with a codec when a rule takes it.</summary>
    public static FilterChainSnapshot Apply(FilterChainSnapshot chain, ListenerSnapshot listener, ImmutableArray<CodecRuleSnapshot> rules, DecodeScope scope)
    {
        if (chain.Terminal is not TcpProxySnapshot tcp)
        {
            return chain;
        }

        int port = chain.Match.DestinationPort ?? (listener.Address as IPEndPoint)?.Port ?? 0;
        return rules.FirstOrDefault(rule => rule.Takes(tcp, port)) is { } taken && taken.Upgrade(tcp, scope) is { } codec
            ? chain with { Terminal = codec }
            : chain;
    }

    private bool Takes(TcpProxySnapshot tcp, int port) => (Port == 0 || Port == port)
        && (ClusterPattern.Length == 0 || tcp.Clusters.All(cluster => FileSystemName.MatchesSimpleExpression(ClusterPattern, cluster.Cluster, ignoreCase: false)));

    private XRpcProxySnapshot? Upgrade(TcpProxySnapshot tcp, DecodeScope scope)
    {
        XRpcProxy proxy = Proxy.Clone();
        proxy.StatPrefix = tcp.StatPrefix;
        var clusters = new Forward.Types.WeightedClusters();
        clusters.Clusters.AddRange(tcp.Clusters.Select(static cluster => new Forward.Types.WeightedCluster { Name = cluster.Cluster, Weight = cluster.Weight }));
        proxy.RouteConfig = new RouteConfig { Routes = { new Route { Name = "tcp_proxy", Forward = new Forward { WeightedClusters = clusters } } } };
        return XRpcProxyDecoder.Decode(proxy, scope) is { } codec ? codec with { AccessLogs = tcp.AccessLogs, IdleTimeout = tcp.IdleTimeout, Replaced = tcp, Rule = this } : null;
    }
}
