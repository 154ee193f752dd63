using System.CommandLine;
using System.CommandLine.Parsing;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Init;

/// <summary>Arguments and variables to flag values. Meaning is the reader's business; here only shape is.</summary>
internal sealed class CommandLine
{
    private static readonly string[] CommandNames = ["apply", "plan", "diff", "explain", "cleanup", "verify"];
    private const string Annotations = "from-annotations";

    private readonly RootCommand _root = new();
    private readonly Dictionary<string, Option<string[]>> _options = [];
    private readonly Dictionary<string, Option<bool>> _switches = [];

    /// <summary>The flags, without dashes, that describe a packet for explain.</summary>
    public static IReadOnlyList<string> PacketFlags { get; } = ["proto", "src", "dst", "uid", "gid", "mark", "interface"];

    // With a value, and read from the command line alone.
    private static readonly string[] ExtraFlags = ["format", .. PacketFlags];

    /// <summary>Builds the grammar.</summary>
    public CommandLine()
    {
        // The action is never run: without one the library insists on a sub-command.
        _root.SetAction(_ => 0);
        // Help and version of the library are written for sub-commands with options of their own; ours are one page.
        _root.Options.Clear();
        _root.Directives.Clear();
        foreach (string name in CommandNames)
        {
            _root.Subcommands.Add(new Command(name));
        }

        foreach (RedirectFlag flag in RedirectFlag.All)
        {
            AddValue(flag.Name, flag.Short is char c ? $"-{c}" : null, flag.IsSwitch ? ArgumentArity.ZeroOrOne : ArgumentArity.OneOrMore);
        }

        foreach (string name in ExtraFlags)
        {
            AddValue(name, null, ArgumentArity.OneOrMore);
        }

        AddSwitch("in");
        AddSwitch("out");
        AddSwitch("forwarded");
        AddSwitch("help", "-h");
        AddSwitch("version");
    }

    /// <summary>Reads the arguments.</summary>
    /// <param name="arguments">Without the program's name.</param>
    /// <param name="variable">Gives an environment variable's value, or null.</param>
    public Invocation Parse(IReadOnlyList<string> arguments, Func<string, string?> variable)
    {
        ParseResult parsed = _root.Parse(ShortFlags.Part(arguments), new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
        var errors = parsed.Errors.Select(e => e.Message).ToList();
        errors.AddRange(parsed.UnmatchedTokens.Where(t => !errors.Any(e => e.Contains(t, StringComparison.Ordinal))).Select(t => $"'{t}': unknown"));
        string command = parsed.CommandResult.Command is RootCommand ? "apply" : parsed.CommandResult.Command.Name;
        var notes = new List<string>();
        return new Invocation(command, Flags(parsed, variable, errors, notes), Extra(parsed), errors)
        {
            Notes = notes,
            Help = parsed.GetValue(_switches["help"]),
            Version = parsed.GetValue(_switches["version"]),
            Inbound = parsed.GetValue(_switches["in"]),
            Outbound = parsed.GetValue(_switches["out"]),
            Forwarded = parsed.GetValue(_switches["forwarded"]),
        };
    }

    // A flag wins over an annotation, and an annotation over the environment.
    private Dictionary<string, FlagValues> Flags(ParseResult parsed, Func<string, string?> variable, List<string> errors, List<string> notes)
    {
        var given = new Dictionary<string, FlagValues>();
        foreach (RedirectFlag flag in RedirectFlag.All)
        {
            OptionResult? result = parsed.GetResult(_options[flag.Name]);
            if (result is { Implicit: false })
            {
                string[] values = [.. result.Tokens.Select(t => t.Value)];
                given[flag.Name] = new($"--{flag.Name}", values.Length == 0 && flag.IsSwitch ? ["true"] : values);
            }
        }

        IReadOnlyDictionary<string, FlagValues> environment = Environment(variable);
        var annotations = new AnnotationReader();
        if ((given.GetValueOrDefault(Annotations) ?? environment.GetValueOrDefault(Annotations)) is FlagValues sources)
        {
            annotations.Read(sources);
        }

        errors.AddRange(annotations.Errors);
        notes.AddRange(annotations.Notes);
        notes.AddRange(annotations.Overruled(given).Distinct());
        var all = new Dictionary<string, FlagValues>();
        foreach ((string flag, FlagValues values) in given)
        {
            all[flag] = Filed(flag, values);
        }

        // An annotation is not its reader's to trust: "@" in it reads no file.
        foreach ((string flag, FlagValues values) in annotations.Beside(given))
        {
            all.TryAdd(flag, values);
        }

        foreach ((string flag, FlagValues values) in environment)
        {
            if (!all.ContainsKey(flag) && !annotations.Given.ContainsKey(flag))
            {
                all[flag] = Filed(flag, values);
            }
        }

        annotations.ExcludeOwnPorts(all, given);
        return all;

        FlagValues Filed(string flag, FlagValues values) => flag == Annotations ? values : FromFiles(values, errors);
    }

    private static Dictionary<string, FlagValues> Environment(Func<string, string?> variable)
    {
        var given = new Dictionary<string, FlagValues>();
        foreach (RedirectFlag flag in RedirectFlag.All)
        {
            if (flag.Variables.FirstOrDefault(v => variable(v) is not null) is string name)
            {
                given[flag.Name] = new(name, [variable(name)!]);
            }
        }

        return given;
    }

    private Dictionary<string, string> Extra(ParseResult parsed)
    {
        var given = new Dictionary<string, string>();
        foreach (string name in ExtraFlags)
        {
            if (parsed.GetResult(_options[name]) is { Tokens: { Count: > 0 } tokens })
            {
                given[name] = tokens[^1].Value;
            }
        }

        return given;
    }

    // "@file" stands for the file's lines: ten thousand blocks do not fit an argument.
    private static FlagValues FromFiles(FlagValues given, List<string> errors)
    {
        var all = new List<string>();
        foreach (string value in given.Values)
        {
            if (!value.StartsWith('@'))
            {
                all.Add(value);
                continue;
            }

            try
            {
                all.AddRange(File.ReadLines(value[1..]).Select(l => l.Trim()).Where(l => l.Length > 0));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                errors.Add($"{given.Origin} '{value}': {e.Message}");
            }
        }

        return given with { Values = all };
    }

    private void AddValue(string name, string? alias, ArgumentArity arity)
    {
        var option = new Option<string[]>($"--{name}", alias is null ? [] : [alias])
        {
            Recursive = true,
            Arity = arity,
            AllowMultipleArgumentsPerToken = false,
            // The library's own takes no value at all for an array that need not have one: --drop-invalid=true would be an error.
            CustomParser = result => [.. result.Tokens.Select(t => t.Value)],
        };
        _options[name] = option;
        _root.Options.Add(option);
    }

    private void AddSwitch(string name, params string[] aliases)
    {
        var option = new Option<bool>($"--{name}", aliases) { Recursive = true, Arity = ArgumentArity.Zero };
        _switches[name] = option;
        _root.Options.Add(option);
    }
}

/// <summary>What was asked for.</summary>
/// <param name="Command">apply, plan, diff, explain, cleanup or verify.</param>
/// <param name="Flags">By name without dashes; variables already folded in.</param>
/// <param name="Extra">Values of --format and of explain's flags.</param>
/// <param name="Errors">What is wrong with the shape of the arguments.</param>
internal sealed record Invocation(
    string Command, IReadOnlyDictionary<string, FlagValues> Flags, IReadOnlyDictionary<string, string> Extra, IReadOnlyList<string> Errors)
{
    /// <summary>--help was given.</summary>
    public bool Help { get; init; }

    /// <summary>--version was given.</summary>
    public bool Version { get; init; }

    /// <summary>--in was given.</summary>
    public bool Inbound { get; init; }

    /// <summary>--out was given.</summary>
    public bool Outbound { get; init; }

    /// <summary>--forwarded was given.</summary>
    public bool Forwarded { get; init; }

    /// <summary>What was understood, and may surprise.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
