using System.Collections.Immutable;
using System.Net;

namespace MeshL4.L4Proxy.Config.Bootstrap;

/// <summary>Settings of the DNS proxy, as <c>meshl4.bootstrap.v1.DnsProxyOptions</c> explains them.</summary>
internal sealed record DnsProxyConfig
{
    private static readonly ImmutableArray<IPEndPoint> Usual = [new(IPAddress.Loopback, 15053), new(IPAddress.IPv6Loopback, 15053)];

    /// <summary>UDP and TCP alike.</summary>
    public ImmutableArray<IPEndPoint> Addresses { get; init; } = Usual;

    /// <summary>True when nobody named addresses.</summary>
    public bool HasDefaultAddresses => Addresses == Usual;

    /// <summary>False when <c>DNS_CAPTURE</c> of the node alone asked for it: then somebody else may hold the port already.</summary>
    public bool IsExplicit { get; init; }

    public bool Transparent { get; init; }

    /// <summary>Servers of other names; empty for those of <see cref="ResolvConf"/>.</summary>
    public ImmutableArray<IPEndPoint> Upstreams { get; init; } = [];

    public string ResolvConf { get; init; } = "/etc/resolv.conf";

    public TimeSpan QueryTimeout { get; init; } = TimeSpan.FromSeconds(5);

    public int MaxPendingQueries { get; init; } = 1024;

    public int MaxTcpConnections { get; init; } = 256;

    public TimeSpan TcpIdleTimeout { get; init; } = TimeSpan.FromSeconds(10);

    public TimeSpan AnswerTimeToLive { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Zero for ever.</summary>
    public TimeSpan FirstFetch { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The mesh's domain below namespaces, <c>svc.cluster.local</c>; empty switches short names off.</summary>
    public string Domain { get; init; } = "";

    public string Namespace { get; init; } = "";
}
