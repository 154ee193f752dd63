using System.Net;

namespace MeshL4.L4Proxy.Config.Bootstrap;

/// <summary>What the process itself takes from the bootstrap; the resources in it go to the snapshot.</summary>
internal sealed record BootstrapSnapshot
{
    public string NodeId { get; init; } = "";

    public string NodeCluster { get; init; } = "";

    /// <summary>The admin API; null when the bootstrap has no <c>admin</c>.</summary>
    public IPEndPoint? Admin { get; init; }

    /// <summary><c>/healthz/ready</c>; null when switched off.</summary>
    public IPEndPoint? Readiness { get; init; } = new(IPAddress.IPv6Any, 15021);

    /// <summary><c>/stats/prometheus</c>; null when switched off.</summary>
    public IPEndPoint? Prometheus { get; init; } = new(IPAddress.IPv6Any, 15090);

    /// <summary>Whether POST /quitquitquit is served.</summary>
    public bool EnableQuit { get; init; }

    /// <summary>Upper bound on downstream connections of the process; null takes half of the descriptor limit.</summary>
    public long? MaxDownstreamConnections { get; init; }

    /// <summary>Percent of a processor from which on a loop gives clients of RPC protocols to another; 0 leaves them where they were accepted.</summary>
    public uint BusyLoopPercent { get; init; } = 90;
}
