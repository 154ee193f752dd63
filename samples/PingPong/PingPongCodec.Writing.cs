using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Samples.PingPong;

/// <content>Metadata of a scanned frame, and frames the proxy writes.</content>
public partial struct PingPongCodec
{
    /// <inheritdoc/>
    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output)
    {
        // Bytes that are no frame have no id either: there is no call to answer then.
        if ((request.Flags & FrameFlags.OneWay) != 0 || request.Id == 0)
        {
            return false;
        }

        Write(output, PingPongKind.Failure, (uint)request.Id, "", Encoding.UTF8.GetBytes(reply.Message ?? Words(reply.Reason)));
        return true;
    }

    /// <inheritdoc/>
    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output)
    {
        if (control == ControlFrame.GoAway && from != Side.Upstream)
        {
            return false;
        }

        PingPongKind kind = control switch
        {
            ControlFrame.Ping => PingPongKind.Ping,
            ControlFrame.Pong => PingPongKind.Pong,
            _ => PingPongKind.GoAway,
        };

        // The one id that is not allowed stands for "none": GoAway belongs to no call.
        Write(output, kind, (uint)id == 0 ? 1 : (uint)id, "", default);
        return true;
    }

    /// <summary>Writes a frame, as peers do.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="id">Pairs answers with calls.</param>
    /// <param name="service">At most 255 bytes of UTF-8.</param>
    /// <param name="payload">Whatever the service understands.</param>
    /// <param name="tenant">At most 65,535 bytes of UTF-8.</param>
    /// <param name="lane">A printable character.</param>
    /// <param name="flags">Of <see cref="PingPongFrame"/>.</param>
    public static void Write(
        IBufferWriter<byte> output, PingPongKind kind, uint id, string service, ReadOnlySpan<byte> payload, string tenant = "", char lane = '-', byte flags = 0)
    {
        int serviceLength = Encoding.UTF8.GetByteCount(service);
        int tenantLength = Encoding.UTF8.GetByteCount(tenant);
        int body = serviceLength + payload.Length + tenantLength;
        Span<byte> head = output.GetSpan(PingPongFrame.HeadLength);
        BinaryPrimitives.WriteUInt16BigEndian(head, PingPongFrame.Magic);
        head[PingPongFrame.KindAt] = (byte)kind;
        head[PingPongFrame.LaneAt] = (byte)lane;
        BinaryPrimitives.WriteUInt32BigEndian(head[PingPongFrame.IdAt..], id);
        BinaryPrimitives.WriteUInt32BigEndian(head[PingPongFrame.BodyLengthAt..], (uint)body);
        head[PingPongFrame.ServiceLengthAt] = checked((byte)serviceLength);
        head[PingPongFrame.FlagsAt] = flags;
        BinaryPrimitives.WriteUInt16BigEndian(head[PingPongFrame.TenantLengthAt..], checked((ushort)tenantLength));
        output.Advance(PingPongFrame.HeadLength);
        Encoding.UTF8.GetBytes(service, output);
        output.Write(payload);
        Encoding.UTF8.GetBytes(tenant, output);
    }

    /// <inheritdoc/>
    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value)
    {
        value = default;
        ReadOnlySpan<byte> bytes = frame.Bytes;
        if (bytes.Length < PrefixLength || frame.Head.Length < PrefixLength)
        {
            return false;
        }

        if (meta == Service && _head.ServiceLength > 0)
        {
            value = bytes[PingPongFrame.HeadLength..PrefixLength];
        }
        else if (meta == Lane && bytes[PingPongFrame.LaneAt] != '-')
        {
            value = bytes.Slice(PingPongFrame.LaneAt, 1);
        }
        else if (meta == Tenant && frame.IsWhole && _head.TenantLength > 0 && bytes.Length == FrameLength)
        {
            value = bytes[^_head.TenantLength..];
        }

        return !value.IsEmpty;
    }

    /// <inheritdoc/>
    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output)
    {
        int service = _head.ServiceLength - edit.RemoveKeyBytes;
        if (service < 0 || frame.Bytes.Length < PrefixLength || !TryLane(edit.Metadata, out byte? lane))
        {
            return false;
        }

        Span<byte> head = output.GetSpan(PingPongFrame.HeadLength);
        frame.Bytes[..PingPongFrame.HeadLength].CopyTo(head);
        head[PingPongFrame.LaneAt] = lane ?? head[PingPongFrame.LaneAt];
        head[PingPongFrame.ServiceLengthAt] = (byte)service;
        BinaryPrimitives.WriteUInt32BigEndian(head[PingPongFrame.BodyLengthAt..], _head.BodyLength - (uint)edit.RemoveKeyBytes);
        BinaryPrimitives.WriteUInt32BigEndian(head[PingPongFrame.IdAt..], (uint)(edit.Id ?? _head.Id));
        output.Advance(PingPongFrame.HeadLength);
        output.Write(frame.Bytes[(PingPongFrame.HeadLength + edit.RemoveKeyBytes)..]);
        return true;
    }

    /// <summary>The lane is the only value that can be set; removing it sets "none".</summary>
    private static bool TryLane(IReadOnlyList<MetaEdit>? edits, out byte? lane)
    {
        lane = null;
        for (int i = 0; i < (edits?.Count ?? 0); i++)
        {
            ReadOnlySpan<byte> value = edits![i].Value is { } given ? given.Span : "-"u8;
            if (edits[i].Name != "lane" || value is not [>= 0x21 and <= 0x7e])
            {
                return false;
            }

            lane = value[0];
        }

        return true;
    }

    private static string Words(LocalReplyReason reason) => reason switch
    {
        LocalReplyReason.NoRoute => "proxy: no route",
        LocalReplyReason.NoHealthyUpstream => "proxy: no healthy upstream",
        LocalReplyReason.ConnectFailed => "proxy: no connection to the upstream",
        LocalReplyReason.UpstreamClosed => "proxy: the upstream closed the connection",
        LocalReplyReason.UpstreamBroken => "proxy: the upstream's answer is malformed",
        LocalReplyReason.Timeout => "proxy: no answer in time",
        LocalReplyReason.Overflow => "proxy: too many calls in flight",
        LocalReplyReason.RateLimited => "proxy: rate limit exceeded",
        LocalReplyReason.Denied => "proxy: not allowed",
        LocalReplyReason.BadFrame => "proxy: malformed frame",
        LocalReplyReason.TooLarge => "proxy: the call is too long",
        LocalReplyReason.AnswerTooLarge => "proxy: the answer is too long to be held",
        _ => "proxy: refused",
    };
}
