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

    [Fact]
    public void MutatedFrames_DoNoHarm()
    {
        ICodecFuzzer fuzzer = Kit.Fuzz(seed: 11);
        fuzzer.Run(20_000, TimeSpan.FromMinutes(5));
        fuzzer.Inputs.ShouldBe(20_000);
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
