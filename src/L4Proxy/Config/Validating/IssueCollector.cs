namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>Gathers every issue of one configuration. Bounded: what is beyond the bounds is counted, not kept.</summary>
internal sealed class IssueCollector
{
    /// <summary>Issues kept of each severity.</summary>
    public const int MaxKept = 1000;

    private readonly List<ConfigIssue> _kept = [];
    private readonly HashSet<(string? Resource, string Message)> _told = [];
    private readonly HashSet<string> _refused = new(StringComparer.Ordinal);

    /// <summary>Kept issues in the order they were found.</summary>
    public IReadOnlyList<ConfigIssue> Issues => _kept;

    /// <summary>All errors, kept or not.</summary>
    public int ErrorCount { get; private set; }

    /// <summary>All warnings, kept or not.</summary>
    public int WarningCount { get; private set; }

    public bool HasErrors => ErrorCount > 0;

    /// <summary>True when an error lies outside every resource: nothing of the file or response can be trusted.</summary>
    public bool HasErrorsOutsideResources { get; private set; }

    /// <summary>True when the resource <c>Type/name</c> has an error; exact even when the error itself was not kept.</summary>
    public bool HasErrorsIn(string resource) => _refused.Contains(resource);

    public void Add(ConfigIssue issue)
    {
        bool error = issue.Severity == IssueSeverity.Error;
        int count = error ? ++ErrorCount : ++WarningCount;
        if (error && issue.Resource is null)
            HasErrorsOutsideResources = true;
        else if (error)
            _refused.Add(issue.Resource!);
        if (count <= MaxKept)
            _kept.Add(issue);
    }

    /// <summary>Adds a warning unless the same was said of the same resource before.</summary>
    public void AddOnce(ConfigIssue warning)
    {
        if (_told.Add((warning.Resource, warning.Message)))
            Add(warning);
    }

    public void Error(string path, string message, int? line = null, string? resource = null) =>
        Add(new(IssueSeverity.Error, path, message, line, resource));

    public void Warning(string path, string message, int? line = null, string? resource = null) =>
        Add(new(IssueSeverity.Warning, path, message, line, resource));
}
