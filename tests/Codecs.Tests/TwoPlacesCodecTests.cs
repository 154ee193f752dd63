using System.Buffers.Binary;
using MeshL4.Codecs.Tests.Hosted;
using MeshL4.Codecs.Tests.Proxied;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests;

/// <summary>The kit writes the ids of requests and of answers each at the place that the traits tell.</summary>
public sealed class TwoPlacesCodecTests
{
    private static readonly ICodecConformance Kit = Make();

    public static IEnumerable<object[]> Checks => Kit.Checks.Select(static check => new object[] { check });

    [Theory]
    [MemberData(nameof(Checks))]
    public void Check_OfACodecWithTwoPlaces_Passes(string check) => Kit.Check(check);

    [Fact]
    public void Places_OfASide_AreItsOwn_AndTheSameWhereOneIsTold()
    {
        CodecTraits traits = TwoPlacesCodec.Traits;
        (traits.IdIn(Side.Downstream), traits.IdIn(Side.Upstream)).ShouldBe((new FixedId(8, 4), new FixedId(4, 4)));
        (traits with { ReplyId = null }).IdIn(Side.Upstream).ShouldBe(new FixedId(8, 4));
        (traits with { Id = null }).IdIn(Side.Upstream).ShouldBeNull();
    }

    private static CodecConformance<TwoPlacesCodec> Make()
    {
        byte[] request = PlacedEnd.Request(1, 9, "");
        byte[] answer = PlacedEnd.Answer(9, "");
        BinaryPrimitives.WriteInt32BigEndian(answer, 4 + (int)LongFrame.Least);
        return new CodecConformance<TwoPlacesCodec>(new CodecSample
        {
            Frames =
            [
                new GoldenFrame("request", Side.Downstream, FrameKind.Request, PlacedEnd.Request(1, 7, "body")) { Id = 7, Replies = 1 },
                new GoldenFrame("request that may be repeated", Side.Downstream, FrameKind.Request, PlacedEnd.Request(3, 7, "")) { Id = 7, Replies = 1, Flags = FrameFlags.Idempotent },
                new GoldenFrame("answer", Side.Upstream, FrameKind.Response, PlacedEnd.Answer(7, "body")) { Id = 7 },
            ],
            Long = new LongFrame(Side.Upstream, answer, LongFrame.Least, []),
            Oversized = [new OversizedFrame("longer than allowed", Side.Downstream, request[..4], new CodecLimits(1024, 10))],
        });
    }
}
