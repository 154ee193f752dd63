using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Reporting.Logging;

/// <summary>
/// The level of every log component, changeable while the process runs (<c>-l</c>, <c>--component-log-level</c>,
/// POST /logging). Level names are Envoy's: trace, debug, info, warning, error, critical, off.
/// </summary>
internal sealed class LogLevels
{
    private readonly ConcurrentDictionary<string, ComponentLevel> _components = new(StringComparer.Ordinal);
    private volatile LogLevel _default;

    public LogLevels(LogLevel initial = LogLevel.Information)
    {
        _default = initial;
        foreach (string component in (ReadOnlySpan<string>)["admin", "config", "main", "upstream"])
        {
            Of(component);
        }
    }

    /// <summary>Components known so far with their levels, by name.</summary>
    public IEnumerable<KeyValuePair<string, LogLevel>> All =>
        _components.OrderBy(static c => c.Key, StringComparer.Ordinal).Select(static c => KeyValuePair.Create(c.Key, c.Value.Level));

    /// <summary>Parses a level by Envoy's name; <c>warn</c> is taken, too.</summary>
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
        level = found ?? LogLevel.Information;
        return found is not null;
    }

    public static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warning",
        LogLevel.Error => "error",
        LogLevel.Critical => "critical",
        _ => "off",
    };

    /// <summary>The level holder of a component, made with the default level on first use.</summary>
    public ComponentLevel Of(string component) => _components.GetOrAdd(component, static (_, level) => new ComponentLevel(level), _default);

    /// <summary>Sets every component, and those to come.</summary>
    public void SetAll(LogLevel level)
    {
        _default = level;
        foreach (ComponentLevel component in _components.Values)
        {
            component.Level = level;
        }
    }

    /// <summary>Sets a component that exists; false when there is none of that name.</summary>
    public bool TrySet(string component, LogLevel level)
    {
        if (!_components.TryGetValue(component, out ComponentLevel? holder))
        {
            return false;
        }

        holder.Level = level;
        return true;
    }

    /// <summary>
    /// Applies <c>name:level,name:level</c> whole or not at all. At start, components need not exist yet
    /// (<paramref name="create"/>); over the admin API a name that is not known is an error.
    /// </summary>
    public bool TryApply(string list, bool create, out string error)
    {
        List<(string Name, LogLevel Level)> parsed = [];
        foreach (string item in list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int colon = item.LastIndexOf(':');
            if (colon <= 0 || !TryParse(item[(colon + 1)..], out LogLevel level))
            {
                error = $"'{item}' is not component:level";
                return false;
            }

            string name = item[..colon];
            if (!create && !_components.ContainsKey(name))
            {
                error = $"unknown component '{name}'";
                return false;
            }

            parsed.Add((name, level));
        }

        foreach ((string name, LogLevel level) in parsed)
        {
            Of(name).Level = level;
        }

        error = "";
        return true;
    }
}

/// <summary>The level of one component: read by its loggers with one volatile read.</summary>
internal sealed class ComponentLevel(LogLevel level)
{
    private volatile LogLevel _level = level;

    public LogLevel Level
    {
        get => _level;
        set => _level = value;
    }
}
