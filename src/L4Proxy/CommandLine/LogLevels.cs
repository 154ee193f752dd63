using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.CommandLine;

/// <summary>Envoy's names of log levels.</summary>
internal static class LogLevels
{
    public const string Names = "trace, debug, info, warning|warn, error, critical, off";

    /// <summary>False when <paramref name="name"/> is none of <see cref="Names"/>.</summary>
    public static bool TryParse(string name, out LogLevel level)
    {
        LogLevel? found = name switch
        {
            "trace" => LogLevel.Trace,
            "debug" => LogLevel.Debug,
            "info" => LogLevel.Information,
            "warning" or "warn" => LogLevel.Warning,
            "error" => LogLevel.Error,
            "critical" => LogLevel.Critical,
            "off" => LogLevel.None,
            _ => null,
        };
        level = found ?? default;
        return found is not null;
    }

    /// <summary>Reads <c>component:level,component:level</c>; null when a part is not of that form.</summary>
    public static ImmutableDictionary<string, LogLevel>? ParseComponents(string text)
    {
        var levels = ImmutableDictionary.CreateBuilder<string, LogLevel>(StringComparer.Ordinal);
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int colon = part.IndexOf(':', StringComparison.Ordinal);
            if (colon < 1 || !TryParse(part[(colon + 1)..], out LogLevel level))
            {
                return null;
            }

            levels[part[..colon]] = level;
        }

        return levels.ToImmutable();
    }
}
