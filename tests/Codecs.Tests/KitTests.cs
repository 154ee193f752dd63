using MeshL4.Samples.PingPong.Tests;
using MeshL4.TestKit.Codecs;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests;

/// <summary>The kit finds what is wrong: the sample codec with one defect at a time.</summary>
public sealed class KitTests
{
    public static TheoryData<string, string> Defects => new()
    {
        { nameof(ForgetsBytesAtCuts), "cut at every byte and every pair of bytes" },
        { nameof(ForgetsBytesAtCuts), "frames behind one another, cut at every byte" },
        { nameof(ForgetsBytesAtCuts), "segments of a sequence" },
        { nameof(AllocatesPerFrame), "nothing allocated per frame" },
        { nameof(RemembersFrames), "nothing allocated per frame" },
        { nameof(HoldsTheBody), "64 MB byte by byte in fixed memory" },
        { nameof(AnswersOneWay), "local replies parse" },
        { nameof(LosesIdOfLocalReply), "local replies parse" },
        { nameof(TellsWrongHead), "the head is true when it is told" },
        { nameof(EndsTruncatedFrames), "a truncated frame is More" },
        { nameof(DetectsEverything), "detection" },
        { nameof(HasNoPong), "control frames parse" },
        { nameof(ChangesMoreThanTheId), "a new id changes the id only" },
        { nameof(KeepsTheKey), "a key's prefix is removed" },
        { nameof(SetsNoMetadata), "metadata is set where the traits say so" },
        { nameof(LosesMetadata), "metadata is set where the traits say so" },
        { nameof(TakesAnyLength), "over a limit is Bad" },
        { nameof(TellsNoHeadLength), "frames honour the traits" },
        { nameof(TellsAShortHead), "the head is true when it is told" },
        { nameof(WritesWithoutAnEdit), "an edit of nothing changes nothing" },
        { nameof(InventsMetadata), "golden frames are what they are" },
    };

    [Theory]
    [MemberData(nameof(Defects))]
    public void Check_OfABrokenCodec_Fails(string defect, string check) =>
        Should.Throw<ConformanceException>(() => Broken(defect).Check(check));

    [Theory]
    [InlineData(nameof(ThrowsOnBadBytes))]
    [InlineData(nameof(ForgetsBytesAtCuts))]
    [InlineData(nameof(InventsMetadata))]
    [InlineData(nameof(LosesIdOfLocalReply))]
    [InlineData(nameof(AllocatesPerFrame))]
    [InlineData(nameof(BelievesLengths))]
    [InlineData(nameof(SpoilsWithMetadata))]
    public void Fuzzer_OfABrokenCodec_Fails(string defect) =>
        Should.Throw<ConformanceException>(() => Broken(defect).Fuzz(1).Run(20_000, TimeSpan.FromMinutes(5)));

    [Fact]
    public void Fuzzer_OfACodecThatNeverEnds_SaysSoWithTheBytes()
    {
        var fuzzer = new CodecFuzzer<BrokenCodec<NeverEnds>>(PingPongSample.Value, 1) { HangAfter = TimeSpan.FromMilliseconds(200) };
        Should.Throw<ConformanceException>(() => fuzzer.Run(20_000, TimeSpan.FromMinutes(5))).Message.ShouldContain("no end within");
    }

    [Fact]
    public void Fuzzer_WithOneSeed_TriesTheSameInputs()
    {
        ICodecFuzzer first = AllCodecs.Kit("pingpong").Fuzz(5);
        ICodecFuzzer second = AllCodecs.Kit("pingpong").Fuzz(5);
        first.Run(2_000, TimeSpan.FromMinutes(5));
        second.Run(2_000, TimeSpan.FromMinutes(5));
        (second.Inputs, second.Found).ShouldBe((first.Inputs, first.Found));
    }

    [Fact]
    public void Matrix_WithACodecThatTakesEverything_Fails() =>
        Should.Throw<ConformanceException>(() => DetectionMatrix.Check([AllCodecs.Kit("redis"), Broken(nameof(DetectsEverything))]));

    [Fact]
    public void Benchmark_OfACodecThatAllocates_SaysSo() =>
        new CodecConformance<BrokenCodec<AllocatesPerFrame>>(PingPongSample.Value).Benchmark(TimeSpan.Zero).ShouldContain(static cost => cost.Allocated > 1);

    internal static ICodecConformance Broken(Defect defect) => Broken($"{defect}");

    private static ICodecConformance Broken(string defect) => defect switch
    {
        nameof(ForgetsBytesAtCuts) => Kit<ForgetsBytesAtCuts>(),
        nameof(AllocatesPerFrame) => Kit<AllocatesPerFrame>(),
        nameof(RemembersFrames) => Kit<RemembersFrames>(),
        nameof(AnswersOneWay) => Kit<AnswersOneWay>(),
        nameof(LosesIdOfLocalReply) => Kit<LosesIdOfLocalReply>(),
        nameof(ThrowsOnBadBytes) => Kit<ThrowsOnBadBytes>(),
        nameof(TellsWrongHead) => Kit<TellsWrongHead>(),
        nameof(EndsTruncatedFrames) => Kit<EndsTruncatedFrames>(),
        nameof(DetectsEverything) => Kit<DetectsEverything>(),
        nameof(HasNoPong) => Kit<HasNoPong>(),
        nameof(ChangesMoreThanTheId) => Kit<ChangesMoreThanTheId>(),
        nameof(KeepsTheKey) => Kit<KeepsTheKey>(),
        nameof(SetsNoMetadata) => Kit<SetsNoMetadata>(),
        nameof(LosesMetadata) => Kit<LosesMetadata>(),
        nameof(TakesAnyLength) => Kit<TakesAnyLength>(),
        nameof(InventsMetadata) => Kit<InventsMetadata>(),
        nameof(BelievesLengths) => Kit<BelievesLengths>(),
        nameof(HoldsTheBody) => Kit<HoldsTheBody>(),
        nameof(TellsNoHeadLength) => Kit<TellsNoHeadLength>(),
        nameof(TellsAShortHead) => Kit<TellsAShortHead>(),
        nameof(WritesWithoutAnEdit) => Kit<WritesWithoutAnEdit>(),
        nameof(SpoilsWithMetadata) => Kit<SpoilsWithMetadata>(),
        _ => throw new ArgumentOutOfRangeException(nameof(defect), defect, "no such defect"),
    };

    private static CodecConformance<BrokenCodec<TDefect>> Kit<TDefect>()
        where TDefect : IDefect => new(PingPongSample.Value);

    private sealed class ForgetsBytesAtCuts : IDefect { public static Defect Value => Defect.ForgetsBytesAtCuts; }

    private sealed class AllocatesPerFrame : IDefect { public static Defect Value => Defect.AllocatesPerFrame; }

    private sealed class RemembersFrames : IDefect { public static Defect Value => Defect.RemembersFrames; }

    private sealed class AnswersOneWay : IDefect { public static Defect Value => Defect.AnswersOneWay; }

    private sealed class LosesIdOfLocalReply : IDefect { public static Defect Value => Defect.LosesIdOfLocalReply; }

    private sealed class ThrowsOnBadBytes : IDefect { public static Defect Value => Defect.ThrowsOnBadBytes; }

    private sealed class TellsWrongHead : IDefect { public static Defect Value => Defect.TellsWrongHead; }

    private sealed class EndsTruncatedFrames : IDefect { public static Defect Value => Defect.EndsTruncatedFrames; }

    private sealed class DetectsEverything : IDefect { public static Defect Value => Defect.DetectsEverything; }

    private sealed class HasNoPong : IDefect { public static Defect Value => Defect.HasNoPong; }

    private sealed class ChangesMoreThanTheId : IDefect { public static Defect Value => Defect.ChangesMoreThanTheId; }

    private sealed class KeepsTheKey : IDefect { public static Defect Value => Defect.KeepsTheKey; }

    private sealed class SetsNoMetadata : IDefect { public static Defect Value => Defect.SetsNoMetadata; }

    private sealed class LosesMetadata : IDefect { public static Defect Value => Defect.LosesMetadata; }

    private sealed class TakesAnyLength : IDefect { public static Defect Value => Defect.TakesAnyLength; }

    private sealed class InventsMetadata : IDefect { public static Defect Value => Defect.InventsMetadata; }

    private sealed class NeverEnds : IDefect { public static Defect Value => Defect.NeverEnds; }

    private sealed class TellsNoHeadLength : IDefect { public static Defect Value => Defect.TellsNoHeadLength; }

    private sealed class TellsAShortHead : IDefect { public static Defect Value => Defect.TellsAShortHead; }

    private sealed class BelievesLengths : IDefect { public static Defect Value => Defect.BelievesLengths; }

    private sealed class HoldsTheBody : IDefect { public static Defect Value => Defect.HoldsTheBody; }

    private sealed class WritesWithoutAnEdit : IDefect { public static Defect Value => Defect.WritesWithoutAnEdit; }

    private sealed class SpoilsWithMetadata : IDefect { public static Defect Value => Defect.SpoilsWithMetadata; }
}
