using MeshL4.Interceptor.Plan;
using Shouldly;

namespace MeshL4.Interceptor.Tests;

internal static class Flags
{
    public static Dictionary<string, FlagValues> Of(params (string Flag, string Value)[] given) =>
        given.ToDictionary(g => g.Flag, g => new FlagValues($"--{g.Flag}", [g.Value]));

    public static RedirectOptions Options(params (string Flag, string Value)[] given)
    {
        OptionsReading reading = Read(given);
        reading.Errors.ShouldBeEmpty();
        return reading.Options;
    }

    public static IReadOnlyList<string> Errors(params (string Flag, string Value)[] given) => Read(given).Errors;

    // In a folder without files, so that this machine's users and servers play no part.
    public static OptionsReading Read(params (string Flag, string Value)[] given) => OptionsReader.Read(Of(given), new SystemFiles("/nonexistent"));
}
