namespace MeshL4.Interceptor.Plan;

/// <summary>The transport protocols a rule is for.</summary>
[Flags]
internal enum Transports
{
    /// <summary>TCP.</summary>
    Tcp = 1,

    /// <summary>UDP.</summary>
    Udp = 2,
}
