using System.Collections.Immutable;
using System.Net;

namespace MeshL4.L4Proxy.Config.Bootstrap;

/// <summary>Settings of the DNS proxy, as <c>meshl4.bootstrap.v1.DnsProxyOptions</c> explains them.</summary>
internal sealed record DnsProxyConfig
{
    private const int Port = 15053;

    /// <summary>Redirection leads to loopback.</summary>
    private static readonly ImmutableArray<IPEndPoint> Usual = [new(IPAddress.Loopback, Port), new(IPAddress.IPv6Loopback, Port)];

    /// <summary>TPROXY takes the first address of lo, whichever that is; who asks the port itself from outside gets no answer.</summary>
    private static readonly ImmutableArray<IPEndPoint> UsualTransparent = [new(IPAddress.Any, Port), new(IPAddress.IPv6Any, Port)];

    /// <summary>UDP and TCP alike.</summary>
    public ImmutableArray<IPEndPoint> Addresses { get; init; } = Usual;

    /// <summary>True when nobody named addresses.</summary>
    public bool HasDefaultAddresses => Addresses == Usual || Addresses == UsualTransparent;

    /// <summary>The addresses when nobody names any.</summary>
    public static ImmutableArray<IPEndPoint> DefaultAddresses(bool transparent) => transparent ? UsualTransparent : Usual;

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
