namespace MeshL4.XRpc.Contracts;

/// <summary>What a frame is, once enough of it was seen.</summary>
public enum FrameKind
{
    /// <summary>Not known yet.</summary>
    None,

    /// <summary>A request that gets one answer.</summary>
    Request,

    /// <summary>An answer.</summary>
    Response,

    /// <summary>An answer that tells of a failure.</summary>
    ErrorResponse,

    /// <summary>Sent by the server without a request; answers nothing.</summary>
    Push,

    /// <summary>Carries nothing and gets no answer (an empty line of Redis); dropped.</summary>
    Empty,
}

/// <summary>What every runtime needs to know of a frame. Filled while the frame is scanned; reset by the next frame's first byte.</summary>
public struct FrameHead
{
    /// <summary>Kind of the frame; final when the scanner says Done, for most protocols earlier.</summary>
    public FrameKind Kind;

    /// <summary>Bytes of this frame taken so far, over all calls.</summary>
    public long Length;

    /// <summary>Number of the method within the codec's closed set, for metrics; 0 is "any other".</summary>
    public int Method;

    /// <summary>Codec-specific reason, set when the scanner said Bad; 0 otherwise.</summary>
    public int Fault;
}
