namespace MeshL4.XRpc.Contracts;

/// <summary>What a frame is, once enough of it was seen.</summary>
public enum FrameKind : byte
{
    /// <summary>Not known yet.</summary>
    None,

    /// <summary>A request; <see cref="FrameHead.Replies"/> says how many answers it gets.</summary>
    Request,

    /// <summary>An answer, the only or the last one of its request.</summary>
    Response,

    /// <summary>An answer that tells of a failure; ends its request too.</summary>
    ErrorResponse,

    /// <summary>
    /// Sent by the server without a request; answers nothing. Where answers are in order, passed on to the client that has the connection for itself; on a shared
    /// connection, and in a multiplexed protocol, dropped and counted.
    /// </summary>
    Push,

    /// <summary>
    /// Asks for a sign of life; the runtime answers with the codec's Pong, to a server behind the request that is being sent, and forwards nothing (but what
    /// a connection that relays passes on in any case).
    /// </summary>
    Ping,

    /// <summary>A sign of life, which answers a Ping and no request, whatever the order of answers; taken and dropped.</summary>
    Pong,

    /// <summary>Begins a stream of the client; later frames of the same id belong to it. The server may answer before its end.</summary>
    StreamOpen,

    /// <summary>A part of a stream, in either direction; ends nothing.</summary>
    StreamData,

    /// <summary>The last frame of a stream: from the server it ends the request, from the client only the client's half.</summary>
    StreamEnd,

    /// <summary>
    /// No new request may be sent on this connection; those in flight are still answered. A server's is closed behind that; a client that has it for itself ends with it,
    /// as its state is there.
    /// </summary>
    GoAway,

    /// <summary>Belongs to the beginning of a connection; only pinned protocols have it.</summary>
    Handshake,

    /// <summary>From here on the connection is a byte stream of another kind.</summary>
    Raw,

    /// <summary>Carries nothing and gets no answer (an empty line of Redis); dropped.</summary>
    Empty,
}

/// <summary>Properties of a single frame.</summary>
[Flags]
public enum FrameFlags : ushort
{
    /// <summary>None of the below.</summary>
    None = 0,

    /// <summary>A request that gets no answer, not even an error of the proxy's.</summary>
    OneWay = 1,

    /// <summary>May be sent twice with the effect of once: retries and hedging apply to such requests only.</summary>
    Idempotent = 2,

    /// <summary>Only reads, so that a replica may answer.</summary>
    ReadOnly = 4,

    /// <summary>From this request on the client needs an upstream connection of its own.</summary>
    Pin = 8,

    /// <summary>After this request's answer the client shares connections again.</summary>
    Unpin = 16,

    /// <summary>Neither side sends anything behind the answer to this, or behind the request itself when it has none: the server may close.</summary>
    LastOnConnection = 32,

    /// <summary>Answered only when something went wrong; such a request needs a pinned connection.</summary>
    Quiet = 64,

    /// <summary>May wait for long by its meaning: no time-out applies to its answer.</summary>
    Blocking = 128,
}

/// <summary>What every runtime needs to know of a frame. Filled while the frame is scanned; begun anew by the next frame's first byte.</summary>
public struct FrameHead
{
    /// <summary><see cref="Replies"/> of a request whose answers go on until one with <see cref="FrameKind.StreamEnd"/> or an error.</summary>
    public const int UntilEnd = -1;

    /// <summary>Kind of the frame; final when the scanner says Head or Done.</summary>
    public FrameKind Kind;

    /// <summary>Properties; final as <see cref="Kind"/> is.</summary>
    public FrameFlags Flags;

    /// <summary>Number of the method within the codec's closed set (<see cref="CodecTraits.Methods"/>), for metrics; 0 is "any other".</summary>
    public int Method;

    /// <summary>Requests: answers due. 1 for most, 0 for one-way, n, or <see cref="UntilEnd"/>.</summary>
    public int Replies;

    /// <summary>
    /// Bytes at the frame's beginning that hold everything of tiers 0 and 1; final as <see cref="Kind"/> is. Requests tell it, at least 1: the runtime holds
    /// <see cref="CodecTraits.MaxHead"/>, or what is configured in its place, against it. Other frames may leave it 0.
    /// </summary>
    public int HeadLength;

    /// <summary>Codec-specific reason, set when the scanner said Bad; 0 otherwise.</summary>
    public int Fault;

    /// <summary>Bytes of this frame taken so far, over all calls; the whole frame's when the scanner says Done.</summary>
    public long Length;

    /// <summary>What matches answers to requests in a multiplexed protocol; 0 elsewhere.</summary>
    public ulong Id;

    /// <summary>
    /// Whatever else a local answer to this request needs to know of it: the codec's own (a serialisation's number, a version).
    /// Kept as long as the request is in flight, when its bytes are gone; where this is too little, see <see cref="CodecTraits.ReplySeedBytes"/>.
    /// </summary>
    public ulong ReplySeed;
}

/// <summary>A frame, or its beginning, in one piece of memory. Valid during the call it is given to.</summary>
/// <param name="head">What the scanner found.</param>
/// <param name="bytes">From the frame's first byte up to the last one taken.</param>
/// <param name="isWhole">Whether the frame ends there.</param>
public readonly ref struct FrameView(ref readonly FrameHead head, ReadOnlySpan<byte> bytes, bool isWhole)
{
    /// <summary>What the scanner found.</summary>
    public readonly ref readonly FrameHead Head = ref head;

    /// <summary>From the frame's first byte up to the last one taken; at least what tiers 0 and 1 need.</summary>
    public ReadOnlySpan<byte> Bytes { get; } = bytes;

    /// <summary>Whether the frame ends there; else its body goes on behind.</summary>
    public bool IsWhole { get; } = isWhole;
}
