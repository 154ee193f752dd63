using System.Text;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>An error refuses the resource it is in (or the whole file); a warning is told and passed over.</summary>
internal enum IssueSeverity { Warning, Error }

/// <summary>One thing wrong with a configuration.</summary>
/// <param name="Severity">Whether it refuses anything.</param>
/// <param name="Path">Field path with API names, <c>static_resources.listeners[0].name</c>; relative to the resource when it came over xDS.</param>
/// <param name="Message">The reason, reading on from the path: "is ...", "has ...".</param>
/// <param name="Line">1-based line in a YAML or JSON text; null for binary.</param>
/// <param name="Resource"><c>Listener/name</c> when inside a resource; the key by which resources are refused.</param>
/// <param name="Origin">File name or stream the configuration came from.</param>
internal sealed record ConfigIssue(
    IssueSeverity Severity, string Path, string Message, int? Line = null, string? Resource = null, string? Origin = null)
{
    /// <summary><c>origin:line: Listener/name: path: message</c>, leaving out what is not known.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        if (!string.IsNullOrEmpty(Origin))
            text.Append(Origin).Append(Line is null ? ": " : $":{Line}: ");
        if (Resource is not null)
            text.Append(Resource).Append(": ");
        if (Path.Length > 0)
            text.Append(Path).Append(": ");
        return text.Append(Message).ToString();
    }
}
