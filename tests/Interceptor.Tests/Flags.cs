using MeshL4.Interceptor.Plan;
using Shouldly;

namespace MeshL4.Interceptor.Tests;

internal static class Flags
{
    public static Dictionary<string, FlagValues> Of(params (string Flag, string Value)[] given) =>
        given.ToDictionary(g => g.Flag, g => new FlagValues($"--{g.Flag}", [g.Value]));

    public static RedirectOptions Options(params (string Flag, string Value)[] given)
    {
        OptionsReader.TryRead(Of(given), out RedirectOptions options, out IReadOnlyList<string> errors);
        errors.ShouldBeEmpty();
        return options;
    }

    public static IReadOnlyList<string> Errors(params (string Flag, string Value)[] given)
    {
        OptionsReader.TryRead(Of(given), out _, out IReadOnlyList<string> errors);
        return errors;
    }
}
