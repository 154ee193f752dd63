using System.Collections.Immutable;

namespace MeshL4.XRpc.Contracts;

/// <summary>How answers relate to requests on one connection.</summary>
public enum FrameOrder
{
    /// <summary>One request at a time.</summary>
    PingPong,

    /// <summary>Many requests in flight, answered in their order.</summary>
    Fifo,

    /// <summary>Many requests in flight, answered in any order and matched by an id.</summary>
    Multiplexed,
}

/// <summary>Whether clients may share a connection to a server.</summary>
public enum Affinity
{
    /// <summary>Every request stands alone.</summary>
    Shared,

    /// <summary>Connections have state from their first byte: one upstream connection for each client connection.</summary>
    Pinned,

    /// <summary>Shared, except from a frame with <see cref="FrameFlags.Pin"/> to one with <see cref="FrameFlags.Unpin"/>.</summary>
    PinOnDemand,
}

/// <summary>Who sends signs of life.</summary>
[Flags]
public enum Heartbeats
{
    /// <summary>The protocol has none.</summary>
    None = 0,

    /// <summary>A client may ping its server.</summary>
    FromClient = 1,

    /// <summary>A server may ping its client.</summary>
    FromServer = 2,
}

/// <summary>How much of a frame a metadata value needs.</summary>
public enum MetaTier
{
    /// <summary>A fixed head.</summary>
    FixedHead,

    /// <summary>A bounded number of bytes at the beginning: known when the scanner says Head.</summary>
    Prefix,

    /// <summary>The whole body. A route that asks for it has bodies held, up to a limit.</summary>
    WholeBody,
}

/// <summary>A metadata value that a frame can have.</summary>
/// <param name="Name">As configuration writes it, lower case: <c>key</c>, <c>service</c>, <c>method</c>, <c>group</c>, ...</param>
/// <param name="Tier">How much of the frame it needs.</param>
public readonly record struct MetaKey(string Name, MetaTier Tier);

/// <summary>
/// Where a fixed-width id is in every frame of a side that has one, so that the runtime can replace it in place. Id 0 is never made by the runtime.
/// </summary>
/// <param name="Offset">Bytes from the frame's first byte.</param>
/// <param name="Width">Bytes: 1, 2, 4 or 8.</param>
/// <param name="BigEndian">Byte order.</param>
public sealed record FixedId(int Offset, int Width, bool BigEndian = true);

/// <summary>What is true of every connection of a protocol. Declared once per codec; the runtime is chosen by it and the conformance kit checks it.</summary>
/// <param name="Name">Protocol name as configuration and metrics write it, lower case.</param>
/// <param name="Order">How answers relate to requests.</param>
/// <param name="FirstSpeaker">Side whose bytes come first.</param>
public sealed record CodecTraits(string Name, FrameOrder Order, Side FirstSpeaker)
{
    /// <summary>The most of <see cref="ReplySeedBytes"/>.</summary>
    public const int MostReplySeedBytes = 1024;

    /// <summary>Whether clients may share a connection.</summary>
    public Affinity Affinity { get; init; } = Affinity.Shared;

    /// <summary>
    /// Multiplexed protocols: where the id is; null when its place or length varies, so that
    /// <see cref="IXRpcCodec{TSelf}.WriteEdited"/> has to write it anew. Requests are tried again, hedged and mirrored only where it has a place.
    /// </summary>
    public FixedId? Id { get; init; }

    /// <summary>Where the id is in frames of the server, if that is another place than <see cref="Id"/>; null where it is the same.</summary>
    public FixedId? ReplyId { get; init; }

    /// <summary>Bits the runtime may use in an id; narrow ids bound the requests in flight.</summary>
    public int IdBits { get; init; } = 63;

    /// <summary>Who sends signs of life.</summary>
    public Heartbeats Heartbeats { get; init; }

    /// <summary>
    /// Longest <see cref="FrameHead.HeadLength"/> of a request, at most 64 KiB; a client that goes beyond is closed. Configuration may say another
    /// (<c>limits.max_head_bytes</c>).
    /// </summary>
    public int MaxHead { get; init; } = 16 * 1024;

    /// <summary>
    /// For protocols whose errors echo more of the request than <see cref="FrameHead.ReplySeed"/> holds, such as the method's name: bytes of a request's
    /// beginning that <see cref="IXRpcCodec{TSelf}.WriteLocalReply"/> is given (<see cref="LocalReply.RequestBytes"/>). They are kept for every request in
    /// flight, so ask for no more than the head that is echoed. At most <see cref="MostReplySeedBytes"/>.
    /// </summary>
    public int ReplySeedBytes { get; init; }

    /// <summary>Metadata values by index, as <see cref="IXRpcCodec{TSelf}.TryMeta"/> takes it.</summary>
    public ImmutableArray<MetaKey> Meta { get; init; } = [];

    /// <summary>
    /// Index in <see cref="Meta"/> of the value that key prefixes of routes and hashing look at; -1 when the protocol has none.
    /// </summary>
    public int KeyMeta { get; init; } = -1;

    /// <summary>Index in <see cref="Meta"/> of the called service; -1 when the protocol has none.</summary>
    public int ServiceMeta { get; init; } = -1;

    /// <summary>
    /// Whether <see cref="IXRpcCodec{TSelf}.WriteEdited"/> can set or remove metadata of requests, if not of every name. Configuration that asks a codec without
    /// for it is refused.
    /// </summary>
    public bool EditsMetadata { get; init; }

    /// <summary>Names of the methods by number, lower case, for metrics and routes; the first stands for all others. Empty: only "other".</summary>
    public ImmutableArray<string> Methods { get; init; } = [];

    /// <summary>Where the id is in frames of a side; null when it has no fixed place.</summary>
    /// <param name="from">Who sends them.</param>
    public FixedId? IdIn(Side from) => from == Side.Downstream || Id is null ? Id : ReplyId ?? Id;

    /// <summary>Index of a metadata value by name; -1 when frames of this protocol have none of that name.</summary>
    /// <param name="name">As configuration writes it.</param>
    public int FindMeta(string name)
    {
        for (int i = 0; i < Meta.Length; i++)
        {
            if (Meta[i].Name == name)
            {
                return i;
            }
        }

        return -1;
    }
}
