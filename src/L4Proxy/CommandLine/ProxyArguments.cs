using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.CommandLine;

/// <summary>What the process was asked to do.</summary>
internal enum ProxyVerb
{
    /// <summary>Serve traffic until told to stop; the default.</summary>
    Run,

    /// <summary>Read the configuration, print every issue, end.</summary>
    Validate,
}

/// <summary>The checked command line. Names and defaults are Envoy's where Envoy has the flag.</summary>
internal sealed record ProxyArguments
{
    public ProxyVerb Verb { get; init; }

    /// <summary>Bootstrap file (<c>-c</c>); null when only <see cref="ConfigYaml"/> was given. Never both null.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>YAML text merged over the bootstrap file (<c>--config-yaml</c>).</summary>
    public string? ConfigYaml { get; init; }

    /// <summary>Number of event loops; null takes one per core, 0 takes one.</summary>
    public int? Concurrency { get; init; }

    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Levels by component (<c>--component-log-level upstream:debug,config:trace</c>).</summary>
    public ImmutableDictionary<string, LogLevel> ComponentLogLevels { get; init; } = ImmutableDictionary<string, LogLevel>.Empty;

    /// <summary>How long open connections may finish after SIGTERM. Envoy's default is 600 s.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>Upper bound on the life of a draining process. Envoy's default is 900 s.</summary>
    public TimeSpan ParentShutdownTime { get; init; } = TimeSpan.FromSeconds(900);

    /// <summary>Overrides <c>node.cluster</c>.</summary>
    public string? ServiceCluster { get; init; }

    /// <summary>Overrides <c>node.id</c>.</summary>
    public string? ServiceNode { get; init; }

    /// <summary>Overrides <c>node.locality.zone</c>.</summary>
    public string? ServiceZone { get; init; }

    /// <summary>True when <c>validate</c> is to answer one JSON document.</summary>
    public bool JsonOutput { get; init; }

    /// <summary>One line per flag that was taken and does nothing here; to be logged as warnings.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];

    /// <summary>
    /// Reads the command line. Null means the process is done: help or version were printed (exit code 0), or the line is wrong
    /// and <paramref name="error"/> says how (exit code 2).
    /// </summary>
    public static ProxyArguments? TryParse(IReadOnlyList<string> args, TextWriter output, TextWriter error, out int exitCode)
        => new ProxyCommand().Read(args, output, error, out exitCode);

    /// <inheritdoc cref="TryParse(IReadOnlyList{string}, TextWriter, TextWriter, out int)"/>
    public static ProxyArguments? TryParse(string[] args, out int exitCode) => TryParse(args, Console.Out, Console.Error, out exitCode);
}
