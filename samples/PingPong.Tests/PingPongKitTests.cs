using MeshL4.TestKit.Codecs;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Samples.PingPong.Tests;

/// <summary>The codec alone against the kit, as an author has it in a project of their own.</summary>
public sealed class PingPongKitTests(ITestOutputHelper output)
{
    private static readonly CodecConformance<PingPongCodec> Kit = new(PingPongSample.Value);

    public static TheoryData<string> Checks => [.. Kit.Checks];

    [Theory]
    [MemberData(nameof(Checks))]
    public void Codec_KeepsItsContract(string check) => Kit.Check(check);

    /// <summary>Nor does it take those of the codecs that every proxy has.</summary>
    [Fact]
    public void OtherCodecs_TakeNoneOfItsFrames() => DetectionMatrix.Check([.. CodecsOfTheBuild.Kits, Kit]).ShouldBeGreaterThan(10);

    /// <summary><c>MESHL4_FUZZ_MINUTES=60</c> makes it an hour with new seeds; what does harm goes into <c>corpus</c>.</summary>
    [Fact]
    public void MutatedFrames_DoNoHarm()
    {
        FuzzCorpus.Of(Kit.Name).Try(Kit.Fuzz(1)).ShouldBeGreaterThan(0, "the corpus is not found");
        FuzzRun.Check(Kit, output.WriteLine);
    }

    /// <summary>The figures are in the test's output; what is held is that every frame has one and costs no memory.</summary>
    [Fact]
    public void Benchmark_TimesEveryFrame_AndNoneAllocates()
    {
        IReadOnlyList<FrameCost> costs = Kit.Benchmark(TimeSpan.FromMilliseconds(50));

        foreach (FrameCost cost in costs)
        {
            output.WriteLine(cost.ToString());
        }

        costs.Select(static cost => cost.Frame).ShouldBe(PingPongSample.Value.Frames.Select(static frame => frame.Name));
        costs.ShouldAllBe(static cost => cost.Nanoseconds > 0 && cost.Allocated < 1);
    }
}
