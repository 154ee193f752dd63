using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>One condition of a rule. Conditions of a rule are joined by "and".</summary>
internal abstract record RuleMatch
{
    /// <summary>Does the condition hold for <paramref name="packet"/>?</summary>
    public abstract bool Holds(Packet packet);
}

/// <summary>The packet is of one address family: only needed to leave the other family alone in a table that sees both.</summary>
internal sealed record FamilyMatch(AddressFamily Family) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => packet.Destination.AddressFamily == Family;
}

/// <summary>The interface the packet came in by, or leaves by; a trailing "+" stands for any ending, as in iptables. Any other when
/// <paramref name="Negated"/>.</summary>
internal sealed record InterfaceMatch(string Name, bool Negated = false) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => Negated != (Name.EndsWith('+')
        ? packet.Interface.StartsWith(Name[..^1], StringComparison.Ordinal)
        : packet.Interface == Name);
}

/// <summary>The source address is in a block of <paramref name="Blocks"/>.</summary>
internal sealed record SourceMatch(CidrSet Blocks) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => Blocks.Contains(packet.Source);
}

/// <summary>The destination address is in a block; when <paramref name="Negated"/>, of the same family and in none.</summary>
internal sealed record DestinationMatch(CidrSet Blocks, bool Negated = false) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) =>
        packet.Destination.AddressFamily == Blocks.Family && Blocks.Contains(packet.Destination) != Negated;
}

/// <summary>Protocol, and when <paramref name="Ports"/> is given, a destination port in the set (outside it when
/// <paramref name="Negated"/>).</summary>
internal sealed record TransportMatch(Transports Transports, PortSet? Ports = null, bool Negated = false) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) =>
        Transports.HasFlag(packet.Transport) && (Ports is null || Ports.Contains(packet.DestinationPort) != Negated);
}

/// <summary>Owner of the sending socket: user ids, or group ids (primary group only), as the process had them when it opened the
/// socket. A packet that outlived its socket has no owner, and holds neither for a range nor against it.</summary>
internal sealed record OwnerMatch(bool IsGroup, IReadOnlyList<IdRange> Ids, bool Negated = false) : RuleMatch
{
    /// <summary>Single ids, duplicates dropped.</summary>
    public static OwnerMatch Of(bool isGroup, IEnumerable<uint> ids, bool negated = false) =>
        new(isGroup, [.. ids.Distinct().Order().Select(i => new IdRange(i, i))], negated);

    /// <inheritdoc/>
    public override bool Holds(Packet packet)
    {
        uint owner = IsGroup ? packet.Gid : packet.Uid;
        return Ids.Any(r => r.First <= owner && owner <= r.Last) != Negated;
    }
}

/// <summary>The packet's mark.</summary>
internal sealed record MarkMatch(uint Mark, bool Negated = false) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => (packet.Mark == Mark) != Negated;
}

/// <summary>The mark of the packet's connection.</summary>
internal sealed record ConnectionMarkMatch(uint Mark) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => packet.ConnectionMark == Mark;
}

/// <summary>What connection tracking says; "established" counts what is related to a connection too.</summary>
internal sealed record StateMatch(ConnectionState State) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => packet.State == State;
}

/// <summary>Connection tracking says that the packet comes from whoever opened the connection.</summary>
internal sealed record FromOpenerMatch : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => true;
}

/// <summary>One UDP source port.</summary>
internal sealed record SourcePortMatch(int Port) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => packet.Transport == Transports.Udp && packet.SourcePort == Port;
}

/// <summary>A TCP segment that opens a connection; any other when <paramref name="Negated"/>.</summary>
internal sealed record OpeningMatch(bool Negated = false) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => packet.Transport == Transports.Tcp && (packet.State == ConnectionState.New) != Negated;
}

/// <summary>A TCP segment that accepts a connection.</summary>
internal sealed record AcceptingMatch : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => false;
}

/// <summary>The destination is an address of this pod; when <paramref name="Negated"/>, one that packets are forwarded to.</summary>
internal sealed record LocalMatch(bool Negated = false) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => packet.Forwarded == Negated;
}

/// <summary>The packet's socket is of this kind. The first packet of a connection has a socket only where it is sent.</summary>
internal sealed record SocketMatch(PacketSocket Socket) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => Socket is PacketSocket.Ordinary or PacketSocket.Connected or PacketSocket.Owned;
}

/// <summary>The local port (of an inbound packet: the destination's) is in a set that packets filled; in none when
/// <paramref name="Negated"/>. For the first packet of all these sets are empty.</summary>
internal sealed record LearnedMatch(LearnedSet Set, bool Negated = false) : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => packet.Transport == Set.Transport && Negated;
}

/// <summary>A TCP segment of a connection that has a socket here already.</summary>
internal sealed record UnderWayMatch : RuleMatch
{
    /// <inheritdoc/>
    public override bool Holds(Packet packet) => packet.Transport == Transports.Tcp && packet.State == ConnectionState.Established;
}
