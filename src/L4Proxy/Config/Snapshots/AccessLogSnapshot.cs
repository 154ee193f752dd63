using MeshL4.L4Proxy.Reporting.AccessLogging;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>A compiled access log: where lines go and how one is made. Equal logs share one sink.</summary>
/// <param name="Path">File to append to; <c>/dev/stdout</c> and <c>/dev/stderr</c> mean those streams.</param>
/// <param name="Text">Text format with Envoy's command operators; null with <paramref name="JsonFields"/> set.</param>
/// <param name="JsonFields">Field name to operator text, in order; null for text.</param>
/// <param name="TypedJson">JSON numbers stay numbers and unset is null (<c>typed_json_format</c>).</param>
internal sealed record AccessLogSnapshot(
    string Path, string? Text, IReadOnlyList<KeyValuePair<string, string>>? JsonFields = null, bool TypedJson = false)
{
    private Derived<AccessLogLine> _line;

    /// <summary>Its place for what makes its lines.</summary>
    internal ref Derived<AccessLogLine> Line() => ref _line;
}
