namespace MeshL4.Interceptor.Plan;

/// <summary>Marks that rules give to packets. The mark of inbound packets is an option, these are not.</summary>
internal static class PacketMarks
{
    /// <summary>The proxy calls a service of its own pod; Istio's number.</summary>
    public const uint SelfCall = 1338;

    /// <summary>Outbound packets of applications, in transparent mode.</summary>
    public const uint Outbound = 1339;

    /// <summary>Name resolution, in transparent mode.</summary>
    public const uint Dns = 1340;

    /// <summary>SO_MARK by which a proxy can say that a socket is its own, in transparent mode: unlike the user, it stays with packets
    /// that outlive their socket.</summary>
    public const uint Proxy = 1341;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<uint> All { get; } = [SelfCall, Outbound, Dns, Proxy];
}
