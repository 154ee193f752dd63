namespace MeshL4.XRpc.Contracts;

/// <summary>Who sent the bytes that a scanner reads.</summary>
public enum Side
{
    /// <summary>The client: bytes are requests.</summary>
    Downstream,

    /// <summary>The server: bytes are answers.</summary>
    Upstream,
}
