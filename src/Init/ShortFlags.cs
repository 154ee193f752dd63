using MeshL4.Interceptor.Plan;

namespace MeshL4.Init;

/// <summary>Short flags as pflag has them: "-p15001" is "-p=15001", and "-nb80" is "-n" and "-b=80". What follows a flag that takes a value
/// is that value, whatever it looks like, and "-x=" has an empty one: the parser would take the next argument for it.</summary>
internal static class ShortFlags
{
    private const char Help = 'h';

    /// <summary>One flag an argument. What cannot be parted stays as it is, for the parser to refuse.</summary>
    public static List<string> Part(IReadOnlyList<string> arguments)
    {
        var parted = new List<string>();
        bool isValue = false;
        foreach (string argument in arguments)
        {
            parted.AddRange(isValue ? [argument] : ((argument is ['-', not '-', _, ..] ? Flags(argument) : null) ?? [argument]).SelectMany(WithEmptyValue));
            isValue = !isValue && TakesValue(parted[^1]);
        }

        return parted;
    }

    private static string[] WithEmptyValue(string argument) =>
        argument is ['-', .., '='] && argument.IndexOf('=', StringComparison.Ordinal) == argument.Length - 1 ? [argument[..^1], ""] : [argument];

    private static List<string>? Flags(string argument)
    {
        var flags = new List<string>();
        for (int i = 1; i < argument.Length; i++)
        {
            string flag = $"-{argument[i]}";
            bool takesValue = TakesValue(flag);
            if (!takesValue && argument[i] != Help && !RedirectFlag.All.Any(f => f.Short == argument[i]))
            {
                return null;
            }

            string rest = argument[(i + 1)..];
            if (rest.StartsWith('=') || (takesValue && rest.Length > 0))
            {
                return [.. flags, rest.StartsWith('=') ? flag + rest : $"{flag}={rest}"];
            }

            flags.Add(flag);
        }

        return flags;
    }

    private static bool TakesValue(string argument) => RedirectFlag.All.Any(f => !f.IsSwitch && (argument == $"-{f.Short}" || argument == $"--{f.Name}"));
}
