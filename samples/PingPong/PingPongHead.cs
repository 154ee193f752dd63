using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Samples.PingPong;

/// <summary>The fixed head, collected from pieces of any size.</summary>
[InlineArray(PingPongFrame.HeadLength)]
internal struct PingPongHead
{
    private byte _first;

    /// <summary>What the frame is.</summary>
    public readonly PingPongKind Kind => (PingPongKind)this[PingPongFrame.KindAt];

    /// <summary>Pairs answers with calls.</summary>
    public readonly uint Id => BinaryPrimitives.ReadUInt32BigEndian(((ReadOnlySpan<byte>)this)[PingPongFrame.IdAt..]);

    /// <summary>Bytes behind the head.</summary>
    public readonly uint BodyLength => BinaryPrimitives.ReadUInt32BigEndian(((ReadOnlySpan<byte>)this)[PingPongFrame.BodyLengthAt..]);

    /// <summary>Bytes of the service's name.</summary>
    public readonly int ServiceLength => this[PingPongFrame.ServiceLengthAt];

    /// <summary>Bytes of the tenant's name.</summary>
    public readonly int TenantLength => BinaryPrimitives.ReadUInt16BigEndian(((ReadOnlySpan<byte>)this)[PingPongFrame.TenantLengthAt..]);

    /// <summary>What is wrong with it.</summary>
    /// <param name="from">Who sent it.</param>
    /// <param name="maxFrame">Bytes a frame may have.</param>
    public readonly PingPongFault Check(Side from, long maxFrame) => this switch
    {
        _ when BinaryPrimitives.ReadUInt16BigEndian(this) != PingPongFrame.Magic => PingPongFault.Magic,
        _ when !IsSentBy(from) => PingPongFault.Kind,
        _ when this[PingPongFrame.LaneAt] is < 0x21 or > 0x7e => PingPongFault.Lane,
        _ when Id == 0 => PingPongFault.Id,
        _ when this[PingPongFrame.FlagsAt] > PingPongFrame.Idempotent => PingPongFault.Flags,
        _ when ServiceLength + TenantLength > BodyLength => PingPongFault.Lengths,
        _ when PingPongFrame.HeadLength + (long)BodyLength > maxFrame => PingPongFault.TooLong,
        _ => PingPongFault.None,
    };

    private readonly bool IsSentBy(Side side) => Kind switch
    {
        PingPongKind.Ping or PingPongKind.Pong => true,
        PingPongKind.Call or PingPongKind.Notify or PingPongKind.Subscribe => side == Side.Downstream,
        _ => side == Side.Upstream && Kind <= PingPongKind.GoAway,
    };
}
