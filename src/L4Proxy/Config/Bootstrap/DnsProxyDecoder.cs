using System.Net;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Bootstrap.V1;
using Node = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.Node;
using SocketAddress = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.SocketAddress;

namespace MeshL4.L4Proxy.Config.Bootstrap;

/// <summary>Decodes whether and how names are proxied: the own extension, and the node's metadata as Istio's agents write them.</summary>
internal static class DnsProxyDecoder
{
    private const string Capture = "DNS_CAPTURE";
    private const int NodeIdParts = 4;

    /// <summary>Null when the DNS proxy is off.</summary>
    /// <param name="options">The extension; null when the bootstrap has none.</param>
    /// <param name="node">Who the proxy is.</param>
    /// <param name="scope">The extension's place.</param>
    public static DnsProxyConfig? Decode(DnsProxyOptions? options, Node node, DecodeScope scope)
    {
        var defaults = new DnsProxyConfig();
        DnsProxyOptions set = options ?? new DnsProxyOptions();
        bool captures = Text(node, Capture) == "true";
        var config = new DnsProxyConfig
        {
            Addresses = set.Addresses.Count == 0 ? DnsProxyConfig.DefaultAddresses(set.Transparent) : [.. EndPoints(set.Addresses, "addresses", null, scope)],
            IsExplicit = set.Enabled == true,
            Transparent = set.Transparent,
            Upstreams = [.. EndPoints(set.Upstreams, "upstreams", 53, scope)],
            ResolvConf = set.ResolvConf.Length > 0 ? set.ResolvConf : defaults.ResolvConf,
            QueryTimeout = scope.PositiveDuration("query_timeout", set.QueryTimeout) ?? defaults.QueryTimeout,
            MaxPendingQueries = Limit(set.MaxPendingQueries, defaults.MaxPendingQueries),
            MaxTcpConnections = Limit(set.MaxTcpConnections, defaults.MaxTcpConnections),
            TcpIdleTimeout = scope.PositiveDuration("tcp_idle_timeout", set.TcpIdleTimeout) ?? defaults.TcpIdleTimeout,
            AnswerTimeToLive = scope.Duration("answer_ttl", set.AnswerTtl) ?? defaults.AnswerTimeToLive,
            FirstFetch = set.InitialFetchTimeout is { } wait ? StreamSourceConfig.FirstFetchOf(wait, scope) : defaults.FirstFetch,
            Domain = (set.Domain.Length > 0 ? set.Domain : DomainOf(node)).Trim('.').ToLowerInvariant(),
            Namespace = (set.Namespace.Length > 0 ? set.Namespace : NamespaceOf(node)).ToLowerInvariant(),
        };
        return set.Enabled ?? captures ? config : null;
    }

    private static int Limit(uint? asked, int usual) => (int)Math.Min(asked ?? (uint)usual, 1 << 20);

    private static IEnumerable<IPEndPoint> EndPoints(RepeatedField<SocketAddress> addresses, string field, int? usualPort, DecodeScope scope)
    {
        for (int i = 0; i < addresses.Count; i++)
        {
            DecodeScope at = scope.Item(field, i);
            if (AddressDecoder.DecodeSocket(addresses[i], at) is not { } address)
            {
                continue;
            }

            int port = address.Port == 0 && usualPort is { } usual ? usual : address.Port;
            if (port == 0)
            {
                at.Field("port_value").Error("is required");
            }

            yield return new IPEndPoint(address.Address, port);
        }
    }

    /// <summary>The fourth part of a node id of Istio's, <c>ns.svc.cluster.local</c>, without the namespace.</summary>
    private static string DomainOf(Node node)
    {
        string[] parts = node.Id.Split('~');
        string domain = parts.Length == NodeIdParts ? parts[^1] : "";
        string home = NamespaceOf(node) + ".";
        return domain.StartsWith(home, StringComparison.Ordinal) ? domain[home.Length..] : domain;
    }

    /// <summary><c>NAMESPACE</c> of the metadata, or what the node id's third part, <c>pod.ns</c>, ends with.</summary>
    private static string NamespaceOf(Node node)
    {
        string[] parts = node.Id.Split('~');
        return Text(node, "NAMESPACE") is { Length: > 0 } named ? named
            : parts.Length == NodeIdParts && parts[2].Contains('.') ? parts[2][(parts[2].LastIndexOf('.') + 1)..] : "";
    }

    private static string Text(Node node, string key)
        => node.Metadata?.Fields.GetValueOrDefault(key) is not { } value ? ""
            : value.KindCase == Value.KindOneofCase.BoolValue ? (value.BoolValue ? "true" : "false") : value.StringValue;
}
