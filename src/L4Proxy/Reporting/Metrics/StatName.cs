using MeshL4.L4Proxy.Reporting.AccessLogging;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>The dotted name of a value in /stats: <c>cluster.NAME.upstream_cx_total</c>.</summary>
internal static class StatName
{
    /// <summary>Scope, tag value and name; further labels follow as <c>.key.value</c>, the way Istio's appear in Envoy.</summary>
    public static string Of(in MetricSample sample)
    {
        MetricScope scope = sample.Scope;
        string name = scope.Scope.Length == 0 ? sample.Name
            : scope.TagValue.Length == 0 ? $"{scope.Scope}.{sample.Name}"
            : $"{scope.Scope}.{scope.TagValue}.{sample.Name}";
        foreach ((string key, string value) in scope.Labels ?? [])
        {
            name = $"{name}.{key}.{value}";
        }

        return LogEscape.EscapeControls(name);
    }
}
