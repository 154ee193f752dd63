using System.Collections.Immutable;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;
using Kind = MeshL4.Codecs.Tests.BriefCodec.Kind;

namespace MeshL4.Codecs.Tests;

/// <summary>The kit passes what is right, if unlike the sample: see <see cref="BriefCodec"/>. What the author has to say for that is asked for by name.</summary>
public sealed class RightCodecTests
{
    private const long Longest = (1 << 24) + 2;

    private static readonly CodecSample Sample = new()
    {
        Frames =
        [
            Request("call", 7, "user:42", "body"),
            Request("call 0", 0, "user:42", "body"),
            Request("empty key", 8, "", "body"),
            Request("no key", uint.MaxValue, null, ""),
            Frame("item", Side.Upstream, FrameKind.StreamData, Kind.Item, 7, "1"),
            Frame("item of call 0", Side.Upstream, FrameKind.StreamData, Kind.Item, 0, "1"),
            Frame("end", Side.Upstream, FrameKind.StreamEnd, Kind.End, 7),
            Frame("error", Side.Upstream, FrameKind.ErrorResponse, Kind.Error, 8, "no"),
            Frame("client's ping", Side.Downstream, FrameKind.Ping, Kind.Ping),
            Frame("client's pong", Side.Downstream, FrameKind.Pong, Kind.Pong),
            Frame("server's ping", Side.Upstream, FrameKind.Ping, Kind.Ping),
            Frame("server's pong", Side.Upstream, FrameKind.Pong, Kind.Pong),
            Frame("going away", Side.Upstream, FrameKind.GoAway, Kind.GoAway),
            Frame("push", Side.Upstream, FrameKind.Push, Kind.Push, 0, "news"),
        ],
        Long = new LongFrame(Side.Downstream, [0xff, 0xff, 0xff, (byte)Kind.Call, 0, 0, 0, 1, 0], Longest - 9, []) { IsLongest = true },
        Oversized = [new OversizedFrame("body over the limit", Side.Downstream, [0, 4, 0, (byte)Kind.Call], new CodecLimits(1024, 1000))],
    };

    private static readonly CodecConformance<BriefCodec> Kit = new(Sample);

    public static TheoryData<string> Checks => [.. Kit.Checks];

    [Theory]
    [MemberData(nameof(Checks))]
    public void ACodecThatIsRight_Passes(string check) => Kit.Check(check);

    [Fact]
    public void ACodecThatIsRight_IsFuzzed() => FuzzRun.Check(Kit, new FuzzCorpus("none"), 0, static _ => { });

    [Fact]
    public void AShortLongFrame_ThatIsNotSaidToBeTheLongest_Fails() =>
        Fails(Sample with { Long = Sample.Long with { IsLongest = false } }, "64 MB byte by byte in fixed memory", "has only 16777209 bytes, and is not said to be the longest");

    [Fact]
    public void AKeyThatCannotBeShortened_WithoutAWord_Fails() =>
        Fails(With(static frame => frame with { KeepsKey = false }), "a key's prefix is removed", "1 bytes of its key cannot be removed, and KeepsKey is not said of it");

    [Fact]
    public void ControlFramesWithoutAnId_OfWhichNoGoldenFrameSaysSo_Fail() =>
        Fails(
            Sample with { Frames = Sample.Frames.RemoveAll(static frame => frame.Kind == FrameKind.Ping) },
            "control frames parse",
            "Ping of Downstream: the frame has id 0, not 1, and no golden Ping says that it has none");

    [Fact]
    public void AServerThatNeverAnswers_Fails() =>
        Fails(
            Sample with { Frames = Sample.Frames.RemoveAll(static frame => frame.Kind is FrameKind.StreamData or FrameKind.StreamEnd) },
            "frames honour the traits",
            "no golden answer");

    [Fact]
    public void AnotherCodecThatTakesItsFrames_IsAllowedByName()
    {
        ICodecConformance greedy = KitTests.Broken(Defect.DetectsEverything);
        Should.Throw<ConformanceException>(() => DetectionMatrix.Check([Kit, greedy])).Message.ShouldStartWith("pingpong says Yes of brief's 'call'");
        var named = new CodecConformance<BriefCodec>(Sample with { AlsoDetectedAs = ["pingpong"] });

        DetectionMatrix.Check([named, greedy]).ShouldBeGreaterThan(6);

        Should.Throw<ConformanceException>(() => DetectionMatrix.Check([named, AllCodecs.Kit("pingpong")])).Message
            .ShouldBe("pingpong takes none of brief's frames, and AlsoDetectedAs says that it does");
    }

    private static void Fails(CodecSample sample, string check, string words) =>
        Should.Throw<ConformanceException>(() => new CodecConformance<BriefCodec>(sample).Check(check)).Message.ShouldContain(words);

    private static CodecSample With(Func<GoldenFrame, GoldenFrame> change) => Sample with { Frames = [.. Sample.Frames.Select(change)] };

    private static GoldenFrame Request(string name, uint id, string? key, string body) =>
        new(name, Side.Downstream, FrameKind.Request, BriefCodec.Bytes(Kind.Call, id, key, body))
        {
            Id = id,
            Replies = FrameHead.UntilEnd,
            KeepsKey = true,
            Meta = key is null ? ImmutableDictionary<string, string>.Empty : ImmutableDictionary<string, string>.Empty.Add("key", key),
        };

    private static GoldenFrame Frame(string name, Side from, FrameKind frame, Kind kind, uint id = 0, string body = "") =>
        new(name, from, frame, BriefCodec.Bytes(kind, id, null, body)) { Id = id };
}
