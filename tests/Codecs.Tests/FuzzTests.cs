using MeshL4.TestKit.Codecs;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Codecs.Tests;

/// <summary>
/// Every codec of the build against inputs that are nearly frames. The seeds are fixed; <c>./test.sh --fuzz</c> makes the run a long one with new seeds, and
/// takes the sample's codec, whose tests are beside it, with it.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    public static TheoryData<string> Codecs => [.. AllCodecs.OfTheBuild.Select(static kit => kit.Name)];

    [Theory]
    [MemberData(nameof(Codecs))]
    public void MutatedFrames_HarmNoCodec(string codec)
    {
        FuzzCorpus.Of(codec).Try(AllCodecs.Kit(codec).Fuzz(1)).ShouldBeGreaterThan(0, "the corpus is not found");
        FuzzRun.Check(AllCodecs.Kit(codec), output.WriteLine);
    }

    [Fact]
    public void LongRun_KeepsWhatDoesHarm_AndEveryRunTriesItFirst()
    {
        var corpus = new FuzzCorpus(Path.Combine(Directory.CreateTempSubdirectory("meshl4-test-").FullName, "corpus", "pingpong.txt"));
        ICodecConformance broken = KitTests.Broken(Defect.ThrowsOnBadBytes);
        string input = Should.Throw<ConformanceException>(() => FuzzRun.Check(broken, corpus, 5, output.WriteLine)).Input.ShouldNotBeNull();
        File.ReadAllLines(corpus.Path).ShouldBe([input]);

        ConformanceException again = Should.Throw<ConformanceException>(() => FuzzRun.Check(broken, corpus, 0, output.WriteLine));
        again.Message.ShouldContain("input 0 ");
        again.Input.ShouldBe(input);
        corpus.Keep(input);
        corpus.Try(AllCodecs.Kit("pingpong").Fuzz(1)).ShouldBe(1);
    }

    [Fact]
    public void Fuzzer_WhoseRoomIsFull_GoesOnKeepingWhatIsNew()
    {
        CodecSample sample = AllCodecs.Kit("pingpong").Sample;
        var fuzzer = new CodecFuzzer<Samples.PingPong.PingPongCodec>(sample, 1) { MostSeeds = 20 };
        fuzzer.Run(5_000, TimeSpan.FromMinutes(5));
        fuzzer.Held.ShouldBe(40);
        fuzzer.Found.ShouldBeGreaterThan(100);
    }
}
