using System.Net;

namespace MeshL4.Interceptor.Plan;

/// <summary>The facts of a connection's first packet that rules look at.</summary>
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

    /// <summary>User id of the sending socket; means nothing for an inbound packet.</summary>
    public uint Uid { get; init; }

    /// <summary>Group id of the sending socket; means nothing for an inbound packet.</summary>
    public uint Gid { get; init; }
}
