using System.Globalization;

namespace MeshL4.TestKit.Codecs;

/// <summary>
/// A codec's fuzzing as a test: its corpus, then a few fixed seeds; or, with minutes in the variable <c>MESHL4_FUZZ_MINUTES</c>, as long as that with new seeds, and
/// the input that does harm is added to the corpus.
/// </summary>
public static class FuzzRun
{
    private const int InputsPerSeed = 20_000;
    private const int LongSeeds = 8;

    /// <summary>How long; 0 for the short run.</summary>
    public static double Minutes { get; } =
        double.Parse(Environment.GetEnvironmentVariable("MESHL4_FUZZ_MINUTES") is { Length: > 0 } given ? given : "0", CultureInfo.InvariantCulture);

    /// <summary>The run that the variable asks for, with the corpus of the project.</summary>
    /// <param name="kit">The codec.</param>
    /// <param name="say">Takes a line for each seed.</param>
    /// <exception cref="ConformanceException">The codec failed; the message has the seed and the bytes.</exception>
    public static void Check(ICodecConformance kit, Action<string> say) => Check(kit, FuzzCorpus.Of(kit.Name), Minutes, say);

    /// <summary>A run.</summary>
    /// <param name="kit">The codec.</param>
    /// <param name="corpus">What is tried first.</param>
    /// <param name="minutes">How long, with new seeds; 0: three fixed seeds and as many inputs each, whatever time they take.</param>
    /// <param name="say">Takes a line for each seed.</param>
    /// <exception cref="ConformanceException">The codec failed; the message has the seed and the bytes.</exception>
    public static void Check(ICodecConformance kit, FuzzCorpus corpus, double minutes, Action<string> say)
    {
        int[] seeds = minutes > 0 ? [.. Enumerable.Range(Environment.TickCount & 0xffffff, LongSeeds)] : [1, 2, 3];
        foreach (int seed in seeds)
        {
            ICodecFuzzer fuzzer = kit.Fuzz(seed);
            try
            {
                corpus.Try(fuzzer);
                fuzzer.Run(minutes > 0 ? long.MaxValue : InputsPerSeed, minutes > 0 ? TimeSpan.FromMinutes(minutes / seeds.Length) : TimeSpan.FromHours(1));
            }
            catch (ConformanceException failure) when (minutes > 0 && failure.Input is { } input)
            {
                corpus.Keep(input);
                throw;
            }

            say($"{kit.Name}: seed {seed}, {fuzzer.Inputs} inputs, {fuzzer.Found} kept");
        }
    }
}
