using MeshL4.Codecs.Tests.Hosted;
using MeshL4.Codecs.Tests.Proxied;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests;

/// <summary>The kit gives a codec that asks for a request's first bytes as many as the runtime keeps, in every check and to the fuzzer.</summary>
public sealed class EchoingCodecTests
{
    private static readonly Dictionary<string, ICodecConformance> Kits = new ICodecConformance[] { Kit<AnyOrder>(), Kit<InOrder>(), Kit<OneByOne>() }.ToDictionary(static kit => kit.Name);

    public static IEnumerable<object[]> Checks => Kits.Values.SelectMany(static kit => kit.Checks.Select(check => new object[] { kit.Name, check }));

    [Theory]
    [MemberData(nameof(Checks))]
    public void Check_OfACodecThatEchoes_Passes(string codec, string check) => Kits[codec].Check(check);

    [Fact]
    public void Fuzzer_OfACodecThatEchoes_FindsNothing()
    {
        ICodecFuzzer fuzzer = Kits["thrift"].Fuzz(7);
        fuzzer.Run(20_000, TimeSpan.FromMinutes(5));
        fuzzer.Inputs.ShouldBe(20_000);
    }

    private static CodecConformance<ThriftCodec<TOrder>> Kit<TOrder>()
        where TOrder : struct, IThriftOrder
    {
        byte[] call = ThriftEnd.Bytes(new ThriftMessage(1, "getUser", 7, "\0"));
        byte[] beginning = ThriftEnd.Bytes(new ThriftMessage(1, "upload", 9));
        const int Length = (int)LongFrame.Least;
        return new CodecConformance<ThriftCodec<TOrder>>(new CodecSample
        {
            Frames =
            [
                Frame("call", Side.Downstream, FrameKind.Request, call, "getUser") with { Replies = 1, Flags = FrameFlags.Idempotent },
                Frame("call with arguments", Side.Downstream, FrameKind.Request, ThriftEnd.Bytes(new ThriftMessage(1, "setUser", 7, "\v\0\u0001\0\0\0\u0001x\0")), "setUser") with { Replies = 1 },
                Frame("one-way call", Side.Downstream, FrameKind.Request, ThriftEnd.Bytes(new ThriftMessage(4, "log", 7, "\0")), "log") with { Flags = FrameFlags.OneWay },
                Frame("reply", Side.Upstream, FrameKind.Response, ThriftEnd.Bytes(new ThriftMessage(2, "setUser", 7, "\0")), "setUser"),
                Frame("exception", Side.Upstream, FrameKind.ErrorResponse, ThriftEnd.Bytes(new ThriftMessage(3, "setUser", 7, "\0")), "setUser"),
            ],
            Long = new LongFrame(Side.Downstream, WithLength(beginning, beginning.Length - 4 + Length), Length, []),
            Oversized = [new OversizedFrame("longer than allowed", Side.Downstream, WithLength(beginning, 1000)[..4], new CodecLimits(1024, 1000))],
            Marks = [[0x80, 1, 0, 1], [0x80, 1, 0, 3]],
        });

        static GoldenFrame Frame(string name, Side from, FrameKind kind, byte[] bytes, string method) => new(name, from, kind, bytes)
        {
            Id = TOrder.Value == FrameOrder.Multiplexed ? 7u : 0,
            Meta = System.Collections.Immutable.ImmutableDictionary<string, string>.Empty.Add("method", method),
            Lengths = [new LengthField(0, 4), new LengthField(8, 4)],
        };
    }

    private static byte[] WithLength(byte[] frame, int length)
    {
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(frame, length);
        return [.. frame];
    }
}
