namespace MeshL4.XRpc.Contracts;

/// <summary>How a call to a scanner ended.</summary>
public enum ScanStatus
{
    /// <summary>All bytes given are taken and the frame goes on; call again with the bytes that follow them.</summary>
    More,

    /// <summary>
    /// As <see cref="More"/>, and from here on the head is known: kind, flags, id, method and every metadata value of tiers
    /// 0 and 1. Said at most once a frame, and only of a frame that goes on behind the bytes given: a short one goes straight to
    /// <see cref="Done"/>. A codec that never says it has its frames held until they are whole: requests up to 64 KiB,
    /// answers of multiplexed protocols and frames that may be no answer up to 1 MiB. A longer one ends its connection.
    /// </summary>
    Head,

    /// <summary>The frame ended inside the bytes given; what was taken is its last part. The next byte begins another.</summary>
    Done,

    /// <summary>The bytes are no frame of this protocol, or break a limit. The head holds the reason; the scanner is spent.</summary>
    Bad,
}

/// <summary>Whether a connection's first bytes are a protocol's.</summary>
public enum Detection
{
    /// <summary>They can be no frame of it.</summary>
    No,

    /// <summary>Too few to say.</summary>
    More,

    /// <summary>They are.</summary>
    Yes,
}
