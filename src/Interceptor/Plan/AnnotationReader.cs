using System.Text.Json;

namespace MeshL4.Interceptor.Plan;

/// <summary>A pod's annotations to flags, with the meaning that Istio and Linkerd give them.</summary>
internal sealed class AnnotationReader
{
    private readonly Dictionary<string, FlagValues> _given = [];
    private readonly List<string> _errors = [];
    private readonly List<string> _notes = [];

    /// <summary>By flag name without dashes.</summary>
    public IReadOnlyDictionary<string, FlagValues> Given => _given;

    /// <summary>All that was wrong.</summary>
    public IReadOnlyList<string> Errors => _errors;

    /// <summary>What was set aside.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Reads "KEY=VALUE", or files of lines <c>key=value</c>, <c>key="value"</c> (as the downward API writes them) or
    /// <c>key: value</c>.</summary>
    public void Read(FlagValues sources)
    {
        foreach (string source in sources.Values.Select(v => v.Trim()).Where(v => v.Length > 0))
        {
            if (source.Contains('=', StringComparison.Ordinal))
            {
                Take(source, sources.Origin, '=');
            }
            else
            {
                ReadFile(source.TrimStart('@'), sources.Origin);
            }
        }
    }

    private void ReadFile(string path, string origin)
    {
        try
        {
            foreach (string line in File.ReadLines(path).Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#'))
            {
                Take(line, $"{origin} {path}", '=', ':');
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            _errors.Add($"{origin} '{path}': {e.Message}");
        }
    }

    private void Take(string line, string origin, params char[] separators)
    {
        int at = line.IndexOfAny(separators);
        string key = at < 0 ? line : line[..at].Trim().Trim('"', '\'');
        if (at < 0 || key.Length == 0 || Unquoted(line[(at + 1)..].Trim()) is not string value)
        {
            _errors.Add($"{origin} '{line}': not an annotation (as traffic.sidecar.istio.io/includeInboundPorts=80)");
        }
        else if (AnnotationTable.Flags.TryGetValue(key, out string? flag))
        {
            Set(key, flag, value);
        }
        else if (AnnotationTable.Elsewhere.Contains(key))
        {
            _notes.Add($"annotation {key}: not about redirection, ignored");
        }
        else if (key.StartsWith(AnnotationTable.Istio, StringComparison.Ordinal) || key.StartsWith(AnnotationTable.Linkerd, StringComparison.Ordinal))
        {
            _errors.Add($"annotation {key} '{value}': unknown");
        }
    }

    private void Set(string key, string flag, string value)
    {
        string origin = $"annotation {key}";
        if (key == AnnotationTable.Mode && value == "NONE")
        {
            _given["redirect-inbound"] = _given["redirect-outbound"] = new(origin, ["false"]);
        }
        else if (_given.TryGetValue(flag, out FlagValues? other) && other.Origin != origin)
        {
            _errors.Add($"{other.Origin} '{string.Join(',', other.Values)}' and {origin} '{value}': both mean --{flag}");
        }
        else
        {
            _given[flag] = new(origin, key == AnnotationTable.ExcludedInboundPorts ? [AnnotationTable.OwnPorts, value] : [value]);
        }
    }

    // Null when the quotes do not match.
    private static string? Unquoted(string text)
    {
        if (text.Length == 0 || text[0] is not ('"' or '\''))
        {
            return text;
        }

        if (text[0] == '\'')
        {
            return text.Length > 1 && text[^1] == '\'' ? text[1..^1].Replace("''", "'", StringComparison.Ordinal) : null;
        }

        try
        {
            using JsonDocument json = JsonDocument.Parse(text);
            return json.RootElement.GetString();
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
