namespace MeshL4.Interceptor.Plan;

/// <summary>What can be told from the socket that sends a packet, or that is to get it.</summary>
internal enum PacketSocket
{
    /// <summary>Transparent: the proxy's, of a connection that it took over.</summary>
    Transparent,

    /// <summary>Not transparent.</summary>
    Ordinary,

    /// <summary>Bound to one address, as every connection is; not the kernel's own, which refuses and resets.</summary>
    Connected,

    /// <summary>Bound to no address: a server's.</summary>
    Unbound,

    /// <summary>Owned by a process: not one whose process is gone, and not one that nobody has accepted yet.</summary>
    Owned,
}
