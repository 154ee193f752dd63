using System.Net;
using MeshL4.Interceptor.Plan;

namespace MeshL4.TestKit.Laboratory;

/// <summary>Where a packet starts its way.</summary>
internal enum Origin
{
    /// <summary>A process of the pod; routing decides the interface.</summary>
    Pod,

    /// <summary>The world beyond eth0.</summary>
    Outside,

    /// <summary>The world beyond the second interface, reached past the mesh.</summary>
    SideNetwork,

    /// <summary>A host beyond eth0 that sends what it addresses to loopback to the pod, as one that means harm does. Nobody may answer it: the
    /// one origin for which silence is an ordinary verdict.</summary>
    Neighbour,

    /// <summary>A virtual machine behind the pod's eth1, whose traffic the pod forwards.</summary>
    VirtualMachine,
}

/// <summary>One packet to send: the first of a TCP connection, or a datagram.</summary>
/// <param name="From">Where it starts.</param>
/// <param name="Transport">TCP or UDP.</param>
/// <param name="Destination">Destination address; its family is the packet's.</param>
/// <param name="Port">Destination port.</param>
/// <param name="Source">Source address, or null for the one routing chooses.</param>
/// <param name="Uid">User id that opens the socket; only means something in the pod.</param>
/// <param name="Gid">Group id that opens the socket.</param>
internal sealed record Probe(
    Origin From, Transports Transport, IPAddress Destination, int Port, IPAddress? Source = null, uint Uid = 1000, uint Gid = 1000)
{
    /// <summary>"Pod tcp from 127.0.0.6 to 10.0.0.1:80 as 1000/1000".</summary>
    public override string ToString() =>
        $"{From} {Transport.ToString().ToLowerInvariant()}{(Source is null ? "" : $" from {Source}")} to {new IPEndPoint(Destination, Port)} as {Uid}/{Gid}";
}

/// <summary>Where a packet came out.</summary>
internal enum Verdict
{
    /// <summary>At the destination it was sent to, unchanged.</summary>
    LeftAlone,

    /// <summary>At the proxy's outbound port, which recovered the destination.</summary>
    Outbound,

    /// <summary>At the proxy's inbound port, which recovered the destination.</summary>
    Inbound,

    /// <summary>At the proxy's DNS port.</summary>
    Dns,

    /// <summary>At a socket, but another than sent to and none of the proxy's, or the proxy could not recover the destination.</summary>
    Astray,

    /// <summary>Somebody said that nobody listens there.</summary>
    Refused,

    /// <summary>Nobody answered.</summary>
    Lost,
}

/// <summary>What became of a probe.</summary>
/// <param name="Verdict">Where it came out.</param>
/// <param name="Answered">Did an answer come back that looked as if the destination had sent it? Always true for TCP, whose handshake needs it.</param>
internal readonly record struct Landing(Verdict Verdict, bool Answered);
