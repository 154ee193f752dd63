using System.Globalization;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Codecs.Tests;

/// <summary>
/// Every codec of the build against inputs that are nearly frames. The seeds are fixed; <c>./test.sh --fuzz</c> sets <c>MESHL4_FUZZ_MINUTES</c>, which
/// makes the run as long as that and its seeds new ones, and takes the sample's codec with it.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int InputsPerSeed = 20_000;

    private static readonly double Minutes =
        double.Parse(Environment.GetEnvironmentVariable("MESHL4_FUZZ_MINUTES") is { Length: > 0 } given ? given : "0", CultureInfo.InvariantCulture);

    public static TheoryData<string> Codecs => [.. (Minutes > 0 ? AllCodecs.Kits : AllCodecs.OfTheBuild).Select(static kit => kit.Name)];

    [Theory]
    [MemberData(nameof(Codecs))]
    public void MutatedFrames_HarmNoCodec(string codec)
    {
        int[] seeds = Minutes > 0 ? [.. Enumerable.Range(Environment.TickCount & 0xffffff, 8)] : [1, 2, 3];
        foreach (int seed in seeds)
        {
            ICodecFuzzer fuzzer = AllCodecs.Kit(codec).Fuzz(seed);
            TryCorpus(codec, fuzzer);
            fuzzer.Run(Minutes > 0 ? long.MaxValue : InputsPerSeed, Minutes > 0 ? TimeSpan.FromMinutes(Minutes / seeds.Length) : TimeSpan.FromHours(1));
            output.WriteLine($"{codec}: seed {seed}, {fuzzer.Inputs} inputs, {fuzzer.Found} kept");
            fuzzer.Inputs.ShouldBeGreaterThanOrEqualTo(Minutes > 0 ? 1 : InputsPerSeed);
            fuzzer.Found.ShouldBeGreaterThan(5);
        }
    }

    /// <summary>The sample's among them: its tests beside it have seeds alone.</summary>
    [Fact]
    public void InputsThatOnceDidHarm_HarmNoCodec()
    {
        foreach (ICodecConformance kit in AllCodecs.Kits)
        {
            TryCorpus(kit.Name, kit.Fuzz(1));
        }
    }

    /// <summary>Inputs that once did harm, one a line: side and hex digits.</summary>
    private static void TryCorpus(string codec, ICodecFuzzer fuzzer)
    {
        string[] lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "corpus", $"{codec}.txt"));
        foreach (string[] words in lines.Where(static line => line.Length > 0 && line[0] != '#').Select(static line => line.Split(' ')))
        {
            fuzzer.Try(Enum.Parse<Side>(words[0]), Convert.FromHexString(words[1]));
        }
    }
}
