using System.Net;

namespace MeshL4.Interceptor.Plan;

/// <summary>What connection tracking says of a packet.</summary>
internal enum ConnectionState
{
    /// <summary>The first of a connection.</summary>
    New,

    /// <summary>Of a connection that has seen packets both ways, or about one.</summary>
    Established,

    /// <summary>Of no connection that it could belong to.</summary>
    Invalid,
}

/// <summary>The facts of a packet that rules look at; by default those of a connection's first packet.</summary>
internal sealed record Packet
{
    /// <summary>Does it come from outside the pod (met by prerouting), or from a process of the pod (met by output)?</summary>
    public required bool Inbound { get; init; }

    /// <summary>Interface it came in by or leaves by.</summary>
    public required string Interface { get; init; }

    /// <summary>TCP or UDP.</summary>
    public required Transports Transport { get; init; }

    /// <summary>Source address.</summary>
    public required IPAddress Source { get; init; }

    /// <summary>Destination address, of the same family.</summary>
    public required IPAddress Destination { get; init; }

    /// <summary>Destination port.</summary>
    public required int DestinationPort { get; init; }

    /// <summary>Source port; 0 when it does not matter.</summary>
    public int SourcePort { get; init; }

    /// <summary>User id of the sending socket; means nothing for an inbound packet.</summary>
    public uint Uid { get; init; }

    /// <summary>Group id of the sending socket; means nothing for an inbound packet.</summary>
    public uint Gid { get; init; }

    /// <summary>The packet's mark (SO_MARK of the sending socket at first).</summary>
    public uint Mark { get; init; }

    /// <summary>The mark of its connection.</summary>
    public uint ConnectionMark { get; init; }

    /// <summary>What connection tracking says.</summary>
    public ConnectionState State { get; init; }

    /// <summary>Is the destination of an inbound packet beyond the pod, which forwards for it?</summary>
    public bool Forwarded { get; init; }
}
