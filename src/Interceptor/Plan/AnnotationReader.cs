namespace MeshL4.Interceptor.Plan;

/// <summary>A pod's annotations to flags, with the meaning that Istio and Linkerd give them.</summary>
internal sealed class AnnotationReader
{
    private const string NoAnnotation = "not an annotation (as traffic.sidecar.istio.io/includeInboundPorts=80)";

    private const string Excluded = "istio-local-exclude-ports";

    private readonly Dictionary<string, FlagValues> _given = [];
    private readonly Dictionary<string, string> _linkerdsPorts = [];
    private string? _statusPort;
    private readonly List<string> _errors = [];
    private readonly List<string> _notes = [];

    /// <summary>By flag name without dashes.</summary>
    public IReadOnlyDictionary<string, FlagValues> Given => _given;

    /// <summary>The flags that hold beside those of the command line: a mode given there wins over the annotation that says NONE.</summary>
    public IEnumerable<KeyValuePair<string, FlagValues>> Beside(IReadOnlyDictionary<string, FlagValues> commandLine) => Given.Where(g =>
        !IsOfMode(g.Value) || !commandLine.ContainsKey(AnnotationTable.Flags[AnnotationTable.Mode]));

    /// <summary>A note for each annotation that a flag of the command line overrules with another value.</summary>
    public IEnumerable<string> Overruled(IReadOnlyDictionary<string, FlagValues> commandLine)
    {
        foreach ((string flag, FlagValues annotated) in Given)
        {
            bool none = IsOfMode(annotated);
            string over = none && !commandLine.ContainsKey(flag) ? AnnotationTable.Flags[AnnotationTable.Mode] : flag;
            if (commandLine.TryGetValue(over, out FlagValues? given) && (none || !given.Entries.ToHashSet().SetEquals(annotated.Entries)))
            {
                yield return $"{given.Origin} '{string.Join(',', given.Values)}' wins over {annotated.Origin} '{(none ? "NONE" : string.Join(',', annotated.Values))}'";
            }
        }
    }

    /// <summary>Adds to the excluded inbound ports those that Istio's and Linkerd's injectors always exclude, where annotations of theirs
    /// are used and no flag excludes others.</summary>
    public void ExcludeOwnPorts(Dictionary<string, FlagValues> flags, IReadOnlyDictionary<string, FlagValues> commandLine)
    {
        if (commandLine.ContainsKey(Excluded))
        {
            return;
        }

        // The annotation of excluded ports has Istio's already.
        if ((_statusPort is not null || Given.Values.Any(v => !IsLinkerds(v))) && !ExcludesByIstios)
        {
            Prepend(flags, AnnotationTable.Istio, [IstiosPorts]);
        }

        if (_linkerdsPorts.Count > 0 || Given.Values.Any(IsLinkerds))
        {
            Prepend(flags, AnnotationTable.Linkerd, AnnotationTable.LinkerdsPorts.Select(p => _linkerdsPorts.GetValueOrDefault(p.Key, p.Value)));
        }
    }

    private bool ExcludesByIstios => Given.GetValueOrDefault(Excluded)?.Origin == $"annotation {AnnotationTable.ExcludedInboundPorts}";

    private string IstiosPorts => _statusPort is "" or "0" ? AnnotationTable.OwnPorts : $"{AnnotationTable.OwnPorts},{_statusPort ?? AnnotationTable.DefaultStatusPort}";

    private static bool IsLinkerds(FlagValues v) => v.Origin.StartsWith($"annotation {AnnotationTable.Linkerd}", StringComparison.Ordinal);

    private static void Prepend(Dictionary<string, FlagValues> flags, string whose, IEnumerable<string> ports)
    {
        FlagValues others = flags.GetValueOrDefault(Excluded, new($"annotations {whose}", []));
        flags[Excluded] = others with { Values = [.. ports, .. others.Values] };
    }

    /// <summary>All that was wrong.</summary>
    public IReadOnlyList<string> Errors => _errors;

    /// <summary>What was set aside.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Reads "KEY=VALUE", or files of lines <c>key=value</c>, <c>key="value"</c> (as the downward API writes them) or
    /// <c>key: value</c>.</summary>
    /// <remarks>A file has everybody's annotations, so there only what is Istio's or Linkerd's must be known; what was written for
    /// this program alone must be known altogether.</remarks>
    public void Read(FlagValues sources)
    {
        foreach (string source in sources.Values.Select(v => v.Trim()).Where(v => v.Length > 0))
        {
            // No annotation begins as a path does.
            if (source[0] is not ('/' or '.' or '@') && source.Contains('=', StringComparison.Ordinal))
            {
                Take(source, sources.Origin, false, '=');
            }
            else
            {
                ReadFile(source.TrimStart('@'), sources.Origin);
            }
        }

        // Only now: the annotation that moves one of them may be the last.
        if (ExcludesByIstios)
        {
            _given[Excluded] = _given[Excluded] with { Values = [IstiosPorts, .. _given[Excluded].Values] };
        }
    }

    private void ReadFile(string path, string origin)
    {
        try
        {
            foreach (string line in File.ReadLines(path).Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#'))
            {
                Take(line, $"{origin} {path}", true, '=', ':');
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            _errors.Add($"{origin} '{path}': {e.Message}");
        }
    }

    private void Take(string line, string origin, bool foreign, params char[] separators)
    {
        int at = line.IndexOfAny(separators);
        string key = at < 0 ? line : line[..at].Trim().Trim('"', '\'');
        if (at < 0 || key.Length == 0)
        {
            _errors.Add($"{origin} '{line}': {NoAnnotation}");
        }
        else if (key == AnnotationTable.StatusPort || AnnotationTable.Flags.ContainsKey(key) || AnnotationTable.LinkerdsPorts.ContainsKey(key))
        {
            // Only now: how others' values are written is not this program's business.
            if (QuotedText.Read(line[(at + 1)..].Trim()) is string value)
            {
                Set(key, value);
            }
            else
            {
                _errors.Add($"{origin} '{line}': {NoAnnotation}");
            }
        }
        else if (AnnotationTable.Elsewhere.Contains(key))
        {
            _notes.Add($"annotation {key}: not about redirection, ignored");
        }
        else if (!foreign || key.StartsWith(AnnotationTable.Istio, StringComparison.Ordinal) || AnnotationTable.IsMisspelt(key))
        {
            string value = line[(at + 1)..].Trim();
            _errors.Add($"annotation {key} '{QuotedText.Read(value) ?? value}': unknown");
        }
        else if (key.StartsWith(AnnotationTable.Linkerd, StringComparison.Ordinal))
        {
            _notes.Add($"annotation {key}: unknown, and like none about redirection, ignored");
        }
    }

    private static bool IsOfMode(FlagValues v) => v.Values is ["false"] && v.Origin == $"annotation {AnnotationTable.Mode}";

    private void Set(string key, string value)
    {
        string origin = $"annotation {key}";
        if (!AnnotationTable.Flags.TryGetValue(key, out string? flag))
        {
            SetOwnPort(key, value);
        }
        else if (key == AnnotationTable.Mode && value == "NONE")
        {
            _given["redirect-inbound"] = _given["redirect-outbound"] = new(origin, ["false"]);
        }
        else if (_given.TryGetValue(flag, out FlagValues? other) && other.Origin != origin)
        {
            _errors.Add($"{other.Origin} '{string.Join(',', other.Values)}' and {origin} '{value}': both mean --{flag}");
        }
        else
        {
            _given[flag] = new(origin, [value]);
        }
    }

    private void SetOwnPort(string key, string value)
    {
        bool isStatus = key == AnnotationTable.StatusPort;
        if (!EntryParser.TryPort(value, out _) && !(isStatus && value is "" or "0"))
        {
            _errors.Add($"annotation {key} '{value}': not a port (1 to 65535{(isStatus ? ", or 0 for none" : "")})");
        }
        else if (isStatus)
        {
            _statusPort = value;
        }
        else
        {
            _linkerdsPorts[key] = value;
        }
    }
}
