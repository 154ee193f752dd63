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

/// <summary>What is true of every connection of a protocol. Declared once per codec; a runtime is chosen by it.</summary>
/// <param name="Name">Protocol name as configuration and metrics write it, lower case.</param>
/// <param name="Order">How answers relate to requests.</param>
/// <param name="FirstSpeaker">Side whose bytes come first.</param>
public sealed record CodecTraits(string Name, FrameOrder Order, Side FirstSpeaker);
