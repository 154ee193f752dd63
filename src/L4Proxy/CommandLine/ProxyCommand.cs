using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using MeshL4.L4Proxy.Reporting.Logging;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.CommandLine;

/// <summary>The command line's grammar and its reading into <see cref="ProxyArguments"/>.</summary>
internal sealed class ProxyCommand
{
    private readonly Argument<string> _verb = new("command") { Arity = ArgumentArity.ZeroOrOne, Description = "run (default) or validate" };

    private readonly Option<string> _config = new("--config-path", "-c") { HelpName = "FILE", Description = "Envoy v3 bootstrap, YAML or JSON" };

    private readonly Option<string> _configYaml = new("--config-yaml") { HelpName = "YAML", Description = "YAML text merged over -c" };

    private readonly Option<int?> _concurrency = new("--concurrency") { HelpName = "N", Description = "Event loops [default: one per core]" };

    private readonly Option<string> _logLevel = new("--log-level", "-l") { HelpName = "LEVEL", Description = ComponentLevels.Names + " [default: info]" };

    private readonly Option<string> _componentLevels = new("--component-log-level")
    {
        HelpName = "NAME:LEVEL,...", Description = "Levels of single components, for example upstream:debug,config:trace",
    };

    private readonly Option<int> _drainTime = Seconds("--drain-time-s", 600, "How long open connections may finish after SIGTERM");

    private readonly Option<int> _parentShutdownTime = Seconds("--parent-shutdown-time-s", 900, "Upper bound on the life of a draining process");

    private readonly Option<string> _serviceCluster = new("--service-cluster") { HelpName = "NAME", Description = "Overrides node.cluster" };

    private readonly Option<string> _serviceNode = new("--service-node") { HelpName = "ID", Description = "Overrides node.id" };

    private readonly Option<string> _serviceZone = new("--service-zone") { HelpName = "ZONE", Description = "Overrides node.locality.zone" };

    private readonly Option<string> _mode = new("--mode") { HelpName = "MODE", Description = "serve or validate, as Envoy names the commands" };

    private readonly Option<string> _format = new("--format") { HelpName = "FORMAT", Description = "validate: text (default) or json" };

    private readonly Option<bool> _version = new("--version") { Description = "Print the version" };

    private readonly IReadOnlyList<Option> _ignored = EnvoyFlags.Create();

    private readonly RootCommand _root = new("L4 service-mesh sidecar driven by the Envoy v3 API.");

    public ProxyCommand()
    {
        _verb.AcceptOnlyFromAmong("run", "validate");
        _mode.AcceptOnlyFromAmong("serve", "validate", "init_only");
        _format.AcceptOnlyFromAmong("text", "json");
        _logLevel.Validators.Add(result => Check(result, LogLevels.TryParse(Text(result), out _), $"use one of {ComponentLevels.Names}"));
        _componentLevels.Validators.Add(result => Check(result, ComponentLevels.ParseComponents(Text(result)) is not null, "use NAME:LEVEL,NAME:LEVEL"));
        _concurrency.Validators.Add(result => Check(result, IsCount(Text(result), 1024), "use a whole number from 0 to 1024"));
        Remove<VersionOption>();
        _root.Arguments.Add(_verb);
        Option[] own =
        [
            _config, _configYaml, _concurrency, _logLevel, _componentLevels, _drainTime, _parentShutdownTime,
            _serviceCluster, _serviceNode, _serviceZone, _mode, _format, _version,
        ];
        foreach (Option option in own.Concat(_ignored))
        {
            _root.Options.Add(option);
        }
    }

    /// <summary>The version as printed and as shown at /server_info.</summary>
    public static string Version { get; } = typeof(ProxyCommand).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    /// <inheritdoc cref="ProxyArguments.TryParse(IReadOnlyList{string}, TextWriter, TextWriter, out int)"/>
    public ProxyArguments? Read(IReadOnlyList<string> args, TextWriter output, TextWriter error, out int exitCode)
    {
        ParseResult parsed = _root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        exitCode = ExitCodes.Success;
        if (parsed.Action is System.CommandLine.Help.HelpAction)
        {
            parsed.Invoke(new InvocationConfiguration { Output = output, Error = error });
            output.Write(HelpText.Examples);
            return null;
        }

        if (parsed.Errors.Count == 0 && parsed.GetValue(_version))
        {
            output.WriteLine("meshl4-proxy " + Version);
            return null;
        }

        List<string> problems = [.. parsed.Errors.Select(problem => problem.Message)];
        if (problems.Count == 0 && parsed.GetValue(_config) is null && parsed.GetValue(_configYaml) is null)
        {
            problems.Add("No configuration: give -c FILE or --config-yaml YAML.");
        }

        if (problems.Count == 0)
        {
            return Compile(parsed);
        }

        problems.ForEach(problem => error.WriteLine("meshl4-proxy: " + problem));
        error.WriteLine("Try 'meshl4-proxy --help'.");
        exitCode = ExitCodes.Usage;
        return null;
    }

    private ProxyArguments Compile(ParseResult parsed) => new()
    {
        Verb = parsed.GetValue(_verb) == "validate" || parsed.GetValue(_mode) is "validate" or "init_only" ? ProxyVerb.Validate : ProxyVerb.Run,
        ConfigPath = parsed.GetValue(_config),
        ConfigYaml = parsed.GetValue(_configYaml),
        Concurrency = parsed.GetValue(_concurrency),
        LogLevel = LogLevels.TryParse(parsed.GetValue(_logLevel) ?? "info", out LogLevel level) ? level : LogLevel.Information,
        ComponentLogLevels = ComponentLevels.ParseComponents(parsed.GetValue(_componentLevels) ?? "") ?? ImmutableDictionary<string, LogLevel>.Empty,
        DrainTime = TimeSpan.FromSeconds(parsed.GetValue(_drainTime)),
        ParentShutdownTime = TimeSpan.FromSeconds(parsed.GetValue(_parentShutdownTime)),
        ServiceCluster = parsed.GetValue(_serviceCluster),
        ServiceNode = parsed.GetValue(_serviceNode),
        ServiceZone = parsed.GetValue(_serviceZone),
        JsonOutput = parsed.GetValue(_format) == "json",
        Warnings = [.. _ignored.Where(option => parsed.GetResult(option) is { Implicit: false }).Select(option => EnvoyFlags.Warning(option.Name))],
    };

    private void Remove<T>()
        where T : Option
    {
        foreach (T option in _root.Options.OfType<T>().ToArray())
        {
            _root.Options.Remove(option);
        }
    }

    private static Option<int> Seconds(string name, int fallback, string description)
    {
        var option = new Option<int>(name) { HelpName = "SECONDS", Description = description, DefaultValueFactory = _ => fallback };
        option.Validators.Add(result => Check(result, result.Implicit || IsCount(Text(result), 31_536_000), "use whole seconds, at most one year"));
        return option;
    }

    private static string Text(System.CommandLine.Parsing.OptionResult result) => result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";

    private static bool IsCount(string text, int max)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value <= max;

    private static void Check(System.CommandLine.Parsing.OptionResult result, bool holds, string rule)
    {
        if (!holds)
        {
            result.AddError($"{result.Option.Name}: '{Text(result)}' is not valid: {rule}.");
        }
    }
}
