namespace MeshL4.Interceptor.Verify;

/// <summary>What rules promise, as reports say it.</summary>
internal static class Promises
{
    /// <summary>Applications' connections to the outside go to the proxy.</summary>
    public const string OutboundCaptured = "outbound connections of applications are captured";

    /// <summary>Destinations and ports that nobody asked for.</summary>
    public const string OutboundNotAskedFor = "outbound connections that were not asked for are left alone";

    /// <summary>The proxy's own connections leave.</summary>
    public const string ProxyNotLooped = "connections of the proxy do not come back to it";

    /// <summary>Ports excluded outbound.</summary>
    public const string PortsExcluded = "excluded outbound ports are left alone";

    /// <summary>Destinations excluded.</summary>
    public const string BlocksExcluded = "excluded destinations are left alone";

    /// <summary>Interfaces excluded, in both directions.</summary>
    public const string InterfacesExcluded = "excluded interfaces are left alone";

    /// <summary>The proxy's connection to a service of this pod.</summary>
    public const string SelfCall = "a call to the pod's own service passes the inbound port";

    /// <summary>The proxy's connection to the application.</summary>
    public const string Passthrough = "what the proxy hands to the application reaches it";

    /// <summary>Loopback, from the proxy.</summary>
    public const string ProxyToLoopback = "connections of the proxy to loopback are left alone";

    /// <summary>Loopback, and the pod's own address between applications.</summary>
    public const string Loopback = "connections between applications of the pod are left alone";

    /// <summary>DNS over UDP where it is captured.</summary>
    public const string DnsOverUdp = "name resolution over UDP is captured";

    /// <summary>DNS over TCP where that over UDP is captured.</summary>
    public const string DnsOverTcp = "name resolution over TCP is captured";

    /// <summary>DNS where nobody asked for it.</summary>
    public const string DnsLeftAlone = "name resolution is left alone";

    /// <summary>Inbound connections go to the proxy.</summary>
    public const string InboundCaptured = "inbound connections are captured";

    /// <summary>Inbound ports that are excluded, not listed, or the tunnel's.</summary>
    public const string InboundLeftAlone = "inbound ports excluded or not asked for are left alone";

    /// <summary>Sources excluded inbound.</summary>
    public const string SourcesExcluded = "inbound connections from excluded sources are left alone";

    /// <summary>Groups that are excluded, or not among those asked for.</summary>
    public const string GroupsLeftAlone = "groups excluded or not asked for are left alone";

    /// <summary>Groups that were asked for, where not all were.</summary>
    public const string GroupsCaptured = "groups asked for are captured";

    /// <summary>Ports excluded for some users.</summary>
    public const string UsersExcluded = "ports excluded for some users are left alone for them";

    /// <summary>The same ports, other users.</summary>
    public const string OtherUsersCaptured = "ports excluded for some users are captured for others";

    /// <summary>UDP to ports asked for.</summary>
    public const string UdpCaptured = "datagrams to ports asked for are captured";

    /// <summary>UDP otherwise.</summary>
    public const string UdpLeftAlone = "datagrams that were not asked for are left alone";

    /// <summary>What comes from virtual machines.</summary>
    public const string VirtualCaptured = "connections from virtual interfaces are captured as outbound";

    /// <summary>Segments of no connection, where they are to be dropped.</summary>
    public const string InvalidDropped = "inbound segments of no connection are dropped";

    /// <summary>The other family when the options switch it off.</summary>
    public const string Ipv6LeftAlone = "IPv6 is left alone";
}
