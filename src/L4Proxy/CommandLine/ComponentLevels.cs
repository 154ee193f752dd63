using System.Collections.Immutable;
using MeshL4.L4Proxy.Reporting.Logging;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.CommandLine;

/// <summary>The value of <c>--component-log-level</c>, and what is said of level names.</summary>
internal static class ComponentLevels
{
    public const string Names = "trace, debug, info, warning|warn, error, critical, off";

    /// <summary>Reads <c>component:level,component:level</c>; null when a part is not of that form.</summary>
    public static ImmutableDictionary<string, LogLevel>? ParseComponents(string text)
    {
        var levels = ImmutableDictionary.CreateBuilder<string, LogLevel>(StringComparer.Ordinal);
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int colon = part.IndexOf(':', StringComparison.Ordinal);
            if (colon < 1 || !LogLevels.TryParse(part[(colon + 1)..], out LogLevel level))
            {
                return null;
            }

            levels[part[..colon]] = level;
        }

        return levels.ToImmutable();
    }
}
