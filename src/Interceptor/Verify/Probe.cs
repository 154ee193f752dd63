using System.Globalization;
using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>Who sends a probe.</summary>
internal readonly record struct Identity(uint Uid, uint Gid);

/// <summary>One packet to be sent, the promise it stands for, and where the plan says that it must arrive.</summary>
/// <param name="Promise">One of <see cref="Promises"/>' sentences; probes of one promise and family make one check.</param>
/// <param name="Packet">What is sent.</param>
/// <param name="Link">The pair it leaves or enters by; null for traffic inside the pod.</param>
/// <param name="Port">Port of the proxy where it must arrive; null when it must go on to its own destination.</param>
internal sealed record Probe(string Promise, Packet Packet, ProbeLink? Link, int? Port)
{
    /// <summary>Why it cannot be sent here, or null.</summary>
    public string? Obstacle { get; init; }

    /// <summary>Must it be dropped, and nobody answer it?</summary>
    public bool Dropped { get; init; }

    /// <summary>Address family of the packet.</summary>
    public AddressFamily Family => Packet.Destination.AddressFamily;

    /// <summary>Who must send it.</summary>
    public Identity Sender => new(Packet.Uid, Packet.Gid);

    /// <summary>Where the packet says that it goes.</summary>
    public IPEndPoint Destination => new(Packet.Destination, Packet.DestinationPort);

    /// <summary>Does it end at a socket of the pod when no rule captures it?</summary>
    public bool EndsInPod => Packet.Inbound || Link is null;

    /// <summary>Where it must arrive inside the pod; null when it must leave, or be dropped.</summary>
    public int? Landing => Dropped ? null : Port ?? (EndsInPod ? Packet.DestinationPort : null);

    /// <summary>What must become of it, in words.</summary>
    public string Must => Dropped ? "be dropped" : Port is int port
        ? string.Create(CultureInfo.InvariantCulture, $"arrive at port {port}")
        : EndsInPod ? "reach the application's own port" : "leave the pod as it is";

    /// <inheritdoc/>
    public override string ToString()
    {
        string who = Packet.Inbound ? $"from {Packet.Source}" : string.Create(CultureInfo.InvariantCulture, $"as {Packet.Uid}:{Packet.Gid}");
        string state = Packet.State == ConnectionState.Invalid ? "invalid " : "";
        return $"{state}{Packet.Transport.ToString().ToLowerInvariant()} to {Destination} {who} by {Packet.Interface}";
    }
}
