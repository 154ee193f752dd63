using MeshL4.TestKit.Codecs;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests;

/// <summary>The kit's checks, for every codec.</summary>
public sealed class ConformanceTests
{
    public static TheoryData<string, string> Checks
    {
        get
        {
            var checks = new TheoryData<string, string>();
            foreach (ICodecConformance kit in AllCodecs.Kits)
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

    [Fact]
    public void Codecs_TakeNoneOfTheOthersFrames() => DetectionMatrix.Check(AllCodecs.Kits).ShouldBeGreaterThan(10);
}
