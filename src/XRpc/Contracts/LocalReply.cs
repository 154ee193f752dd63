namespace MeshL4.XRpc.Contracts;

/// <summary>Why the proxy answers a request itself. A closed set: each codec has its own words or numbers for each.</summary>
public enum LocalReplyReason
{
    /// <summary>No route takes the request.</summary>
    NoRoute,

    /// <summary>The route's cluster is not known, or has no endpoint that may be used.</summary>
    NoHealthyUpstream,

    /// <summary>No connection could be made.</summary>
    ConnectFailed,

    /// <summary>The connection ended before the answer; whether the request was carried out is not known.</summary>
    UpstreamClosed,

    /// <summary>The server sent bytes that are no answer.</summary>
    UpstreamBroken,

    /// <summary>No answer in time.</summary>
    Timeout,

    /// <summary>A circuit breaker or another bound of the proxy is reached.</summary>
    Overflow,

    /// <summary>Over the rate limit.</summary>
    RateLimited,

    /// <summary>Not allowed.</summary>
    Denied,

    /// <summary>The request is no frame of the protocol; the connection is closed behind the answer.</summary>
    BadFrame,

    /// <summary>The request, or the part of it that must be seen, is over a limit.</summary>
    TooLarge,

    /// <summary>An injected fault, or a route that rejects: <see cref="LocalReply.Message"/> has the words.</summary>
    Configured,

    /// <summary>The request asks for something that cannot be had through a proxy.</summary>
    Unsupported,

    /// <summary>The server's answer had to be seen or merged, and is over <c>max_buffered_bytes</c>. The request was carried out.</summary>
    AnswerTooLarge,
}

/// <summary>An answer of the proxy's own. Valid during the call it is given to.</summary>
/// <param name="reason">Why.</param>
/// <param name="message">Words to use; null: the codec's own for the reason.</param>
/// <param name="requestBytes">The beginning of the request.</param>
public readonly ref struct LocalReply(LocalReplyReason reason, string? message = null, ReadOnlySpan<byte> requestBytes = default)
{
    /// <summary>Why.</summary>
    public LocalReplyReason Reason { get; } = reason;

    /// <summary>Words to use, from configuration, a codec's <c>Describe</c> or the proxy (the limit that is reached), never a client's bytes; null: the codec's own for the reason.</summary>
    public string? Message { get; } = message;

    /// <summary>
    /// The request's first bytes as its client sent them: <see cref="CodecTraits.ReplySeedBytes"/> of them, or all where it is shorter; none where the codec
    /// asks for none. With <see cref="LocalReplyReason.BadFrame"/> and <see cref="LocalReplyReason.TooLarge"/> there may be fewer, and in whatever form.
    /// </summary>
    public ReadOnlySpan<byte> RequestBytes { get; } = requestBytes;
}

/// <summary>Frames that only serve the connection.</summary>
public enum ControlFrame
{
    /// <summary>Asks for a sign of life.</summary>
    Ping,

    /// <summary>Gives one; carries the id of the Ping.</summary>
    Pong,

    /// <summary>
    /// Says that no new request is taken. Written for clients that have to go: multiplexed ones get it at once and are served on until nothing is due, the
    /// others behind the answers due.
    /// </summary>
    GoAway,
}
