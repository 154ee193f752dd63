using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Samples.PingPong.Tests;

/// <summary>What the kit needs to know of the sample protocol.</summary>
internal static class PingPongSample
{
    private static readonly ImmutableArray<LengthField> Lengths =
        [new(PingPongFrame.BodyLengthAt, 4), new(PingPongFrame.ServiceLengthAt, 1), new(PingPongFrame.TenantLengthAt, 2)];

    public static CodecSample Value { get; } = new()
    {
        Frames =
        [
            Request("call", PingPongKind.Call, 7, "echo", "hello", "acme", 'b'),
            Request("call with little in it", PingPongKind.Call, uint.MaxValue, "", "", "", '-'),
            Request("repeatable call", PingPongKind.Call, 8, "orders.list", "page 1", "", '-', PingPongFrame.Idempotent) with { Flags = FrameFlags.Idempotent },
            Request("notify", PingPongKind.Notify, 9, "log", "a line", "acme", '-') with { Flags = FrameFlags.OneWay, Replies = 0 },
            Request("subscribe", PingPongKind.Subscribe, 10, "ticker", "3", "", '-') with { Replies = FrameHead.UntilEnd },
            Frame("client's ping", Side.Downstream, FrameKind.Ping, PingPongKind.Ping, 11),
            Frame("client's pong", Side.Downstream, FrameKind.Pong, PingPongKind.Pong, 12),
            Frame("result", Side.Upstream, FrameKind.Response, PingPongKind.Result, 7, "hello"),
            Frame("failure", Side.Upstream, FrameKind.ErrorResponse, PingPongKind.Failure, 8, "no"),
            Frame("item", Side.Upstream, FrameKind.StreamData, PingPongKind.Item, 10, "3"),
            Frame("end", Side.Upstream, FrameKind.StreamEnd, PingPongKind.End, 10),
            Frame("server's ping", Side.Upstream, FrameKind.Ping, PingPongKind.Ping, 13),
            Frame("server's pong", Side.Upstream, FrameKind.Pong, PingPongKind.Pong, 11),
            Frame("going away", Side.Upstream, FrameKind.GoAway, PingPongKind.GoAway, 1),
        ],
        Long = new LongFrame(Side.Downstream, Beginning(PingPongKind.Call, "bulk", (uint)LongFrame.Least), LongFrame.Least, []),
        Oversized =
        [
            new OversizedFrame("body over the limit", Side.Downstream, Beginning(PingPongKind.Call, "", 985), new CodecLimits(16 * 1024, 1000)),
            new OversizedFrame("longest body there is", Side.Upstream, Beginning(PingPongKind.Result, "", uint.MaxValue), new CodecLimits(16 * 1024, 1 << 30)),
        ],
        Marks = [[0xd0, 0x0b], [0xd0], [0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff]],
    };

    private static GoldenFrame Request(
        string name, PingPongKind kind, uint id, string service, string payload, string tenant, char lane, byte flags = 0)
    {
        IEnumerable<KeyValuePair<string, string>> meta =
            new Dictionary<string, string> { ["service"] = service, ["tenant"] = tenant, ["lane"] = lane == '-' ? "" : $"{lane}" }
                .Where(static pair => pair.Value.Length > 0);
        var output = new ArrayBufferWriter<byte>();
        PingPongCodec.Write(output, kind, id, service, Encoding.UTF8.GetBytes(payload), tenant, lane, flags);
        return new GoldenFrame(name, Side.Downstream, FrameKind.Request, output.WrittenSpan.ToArray())
        {
            Id = id,
            Replies = 1,
            Method = kind.ToString().ToLowerInvariant(),
            Meta = meta.ToImmutableDictionary(),
            Lengths = Lengths,
        };
    }

    private static GoldenFrame Frame(string name, Side from, FrameKind frame, PingPongKind kind, uint id, string payload = "")
    {
        var output = new ArrayBufferWriter<byte>();
        PingPongCodec.Write(output, kind, id, "", Encoding.UTF8.GetBytes(payload));
        return new GoldenFrame(name, from, frame, output.WrittenSpan.ToArray()) { Id = id, Lengths = Lengths };
    }

    /// <summary>Head and service of a frame whose payload follows.</summary>
    private static byte[] Beginning(PingPongKind kind, string service, uint payload)
    {
        var output = new ArrayBufferWriter<byte>();
        PingPongCodec.Write(output, kind, 1, service, default);
        byte[] bytes = output.WrittenSpan.ToArray();
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(PingPongFrame.BodyLengthAt), (uint)service.Length + payload);
        return bytes;
    }
}
