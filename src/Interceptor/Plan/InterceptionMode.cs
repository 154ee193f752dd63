namespace MeshL4.Interceptor.Plan;

/// <summary>How connections reach the proxy.</summary>
internal enum InterceptionMode
{
    /// <summary>NAT in both directions: the proxy asks for the original destination.</summary>
    Redirect,

    /// <summary>TPROXY inbound, NAT outbound, as Istio's TPROXY.</summary>
    Tproxy,

    /// <summary>TPROXY in both directions: no NAT and no entry in the connection tracking table. TCP, and UDP where asked for.</summary>
    Transparent,
}

/// <summary>Which DNS queries go to the proxy's resolver.</summary>
internal enum DnsCapture
{
    /// <summary>None.</summary>
    None,

    /// <summary>Those to the servers of resolv.conf.</summary>
    Servers,

    /// <summary>Every query to port 53.</summary>
    All,
}

/// <summary>Outbound ports that are left alone for some users.</summary>
/// <param name="Transports">TCP, UDP or both.</param>
/// <param name="Ports">Destination ports; null for all.</param>
/// <param name="Users">User ids.</param>
internal sealed record UserPortExclusion(Transports Transports, PortSet? Ports, IReadOnlyList<IdRange> Users);
