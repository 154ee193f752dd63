using MeshL4.TestKit.Codecs;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Codecs.Tests;

/// <summary>The kit's checks, for every codec of the build.</summary>
public sealed class ConformanceTests(ITestOutputHelper output)
{
    public static TheoryData<string> Names => [.. AllCodecs.OfTheBuild.Select(static kit => kit.Name)];

    public static TheoryData<string, string> Checks
    {
        get
        {
            var checks = new TheoryData<string, string>();
            foreach (ICodecConformance kit in AllCodecs.OfTheBuild)
            {
                foreach (string check in kit.Checks)
                {
                    checks.Add(kit.Name, check);
                }
            }

            return checks;
        }
    }

    [Theory]
    [MemberData(nameof(Checks))]
    public void Codec_KeepsItsContract(string codec, string check) => AllCodecs.Kit(codec).Check(check);

    /// <summary>The figures are in the test's output.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Benchmark_TimesEveryFrame_AndNoneAllocates(string codec)
    {
        ICodecConformance kit = AllCodecs.Kit(codec);
        IReadOnlyList<FrameCost> costs = kit.Benchmark(TimeSpan.FromMilliseconds(50));
        output.WriteLine(string.Join('\n', costs));
        costs.Select(static cost => cost.Frame).ShouldBe(kit.Sample.Frames.Select(static frame => frame.Name));
        costs.ShouldAllBe(static cost => cost.Nanoseconds > 0 && cost.Allocated < 1);
    }

    [Fact]
    public void Codecs_TakeNoneOfTheOthersFrames() => DetectionMatrix.Check(AllCodecs.Kits).ShouldBeGreaterThan(10);
}
