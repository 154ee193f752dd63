namespace MeshL4.XRpc.Contracts;

/// <summary>How a call to a scanner ended.</summary>
public enum ScanStatus
{
    /// <summary>All bytes given are taken and the frame goes on; call again with the bytes that follow them.</summary>
    More,

    /// <summary>The frame ended inside the bytes given; what was taken is its last part.</summary>
    Done,

    /// <summary>The bytes are no frame of this protocol, or break a limit. The head holds the reason; the scanner is spent.</summary>
    Bad,
}
