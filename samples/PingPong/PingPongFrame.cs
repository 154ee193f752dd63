namespace MeshL4.Samples.PingPong;

/// <summary>The third byte of a frame: what it is.</summary>
public enum PingPongKind : byte
{
    /// <summary>Asks for a sign of life; either side may.</summary>
    Ping,

    /// <summary>Answers <see cref="Ping"/>, with its id.</summary>
    Pong,

    /// <summary>A call with one answer.</summary>
    Call,

    /// <summary>A call without an answer.</summary>
    Notify,

    /// <summary>A call with any number of <see cref="Item"/> and then one <see cref="End"/>.</summary>
    Subscribe,

    /// <summary>The answer to a call.</summary>
    Result,

    /// <summary>The answer to a call that failed; the payload says why. Ends a subscription too.</summary>
    Failure,

    /// <summary>One answer of several.</summary>
    Item,

    /// <summary>No more answers.</summary>
    End,

    /// <summary>The server takes no more calls on this connection.</summary>
    GoAway,
}

/// <summary>
/// Places of the fixed head. Numbers are big endian. Behind the head: the service's name, the payload, and the tenant's name, which
/// comes last so that the sample has a value that only a whole frame shows.
/// </summary>
public static class PingPongFrame
{
    /// <summary>Bytes of the fixed head.</summary>
    public const int HeadLength = 16;

    /// <summary>Two bytes at the beginning of every frame.</summary>
    public const ushort Magic = 0xD00B;

    /// <summary>One byte: <see cref="PingPongKind"/>.</summary>
    public const int KindAt = 2;

    /// <summary>One printable character that tells traffic of different importance apart; <c>-</c> for none.</summary>
    public const int LaneAt = 3;

    /// <summary>Four bytes: pairs answers with calls. Not 0.</summary>
    public const int IdAt = 4;

    /// <summary>Four bytes: everything behind the head.</summary>
    public const int BodyLengthAt = 8;

    /// <summary>One byte: the service's name.</summary>
    public const int ServiceLengthAt = 12;

    /// <summary>One byte: 1 when a call may be repeated, else 0.</summary>
    public const int FlagsAt = 13;

    /// <summary>Two bytes: the tenant's name.</summary>
    public const int TenantLengthAt = 14;

    /// <summary>The flag of calls that may be repeated.</summary>
    public const byte Idempotent = 1;
}

/// <summary>Why bytes are no frame.</summary>
public enum PingPongFault
{
    /// <summary>They are one.</summary>
    None,

    /// <summary>The first two bytes.</summary>
    Magic,

    /// <summary>The kind is none of <see cref="PingPongKind"/>, or not one that this side sends.</summary>
    Kind,

    /// <summary>The lane is no printable character.</summary>
    Lane,

    /// <summary>The id is 0.</summary>
    Id,

    /// <summary>A flag without a meaning.</summary>
    Flags,

    /// <summary>Service and tenant do not fit in the body.</summary>
    Lengths,

    /// <summary>The frame is longer than allowed.</summary>
    TooLong,
}
