namespace MeshL4.Interceptor.Plan;

/// <summary>
/// A set of local ports that packets fill. It has at most 65,536 elements, whatever is sent: unlike connection tracking, what it holds
/// does not grow with connections.
/// </summary>
/// <param name="Name">Name in the kernel.</param>
/// <param name="Transport">Whose ports.</param>
/// <param name="Seconds">How long an element stays after the last packet that added it; 0 for as long as nothing takes it out.</param>
internal sealed record LearnedSet(string Name, Transports Transport, int Seconds = 0)
{
    /// <summary>TCP ports from which a local server last accepted: what is sent from them answers somebody.</summary>
    public static LearnedSet Served { get; } = new("served", Transports.Tcp);

    /// <summary>TCP ports from which the last connection was opened that no rule captures.</summary>
    public static LearnedSet Direct { get; } = new("direct", Transports.Tcp);

    /// <summary>UDP ports from which a datagram was sent that no rule captures: answers come back to them.</summary>
    public static LearnedSet DirectUdp { get; } = new("direct_udp", Transports.Udp, 120);

    /// <summary>UDP ports of local servers to which a datagram came that no rule captures: what is sent from them answers it. A client
    /// that connects its socket is none; an unconnected one can be made to look like one by whoever knows its port.</summary>
    public static LearnedSet ServedUdp { get; } = new("served_udp", Transports.Udp, 120);

    /// <summary>Every one that there is.</summary>
    public static IReadOnlyList<LearnedSet> All { get; } = [Served, Direct, ServedUdp, DirectUdp];
}
