using System.Globalization;
using System.Text;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>Prometheus exposition text, format 0.0.4: one group per name with its <c># TYPE</c> line first.</summary>
internal sealed class PrometheusText(StringBuilder output)
{
    private string _family = "";

    /// <summary>Appends one sample; samples of one name must come one after another.</summary>
    public void Append(in MetricSample sample)
    {
        string family = FamilyOf(sample);
        if (family != _family)
        {
            _family = family;
            output.Append("# TYPE ").Append(family).Append(' ').Append(TypeOf(sample.Kind)).Append('\n');
        }

        if (sample.Histogram is { } histogram)
        {
            AppendHistogram(family, sample.Scope, histogram);
            return;
        }

        output.Append(family);
        AppendLabels(sample.Scope, null);
        output.Append(' ').Append(CultureInfo.InvariantCulture, $"{sample.Value}").Append('\n');
    }

    private void AppendHistogram(string family, in MetricScope scope, HistogramSample histogram)
    {
        for (int i = 0; i < histogram.Counts.Length; i++)
        {
            output.Append(family).Append("_bucket");
            AppendLabels(scope, i < histogram.UpperBounds.Length ? Number(histogram.UpperBounds[i]) : "+Inf");
            output.Append(' ').Append(CultureInfo.InvariantCulture, $"{histogram.Counts[i]}").Append('\n');
        }

        output.Append(family).Append("_sum");
        AppendLabels(scope, null);
        output.Append(' ').Append(Number(histogram.Sum)).Append('\n').Append(family).Append("_count");
        AppendLabels(scope, null);
        output.Append(' ').Append(CultureInfo.InvariantCulture, $"{histogram.Count}").Append('\n');
    }

    private void AppendLabels(in MetricScope scope, string? upperBound)
    {
        char before = '{';
        if (scope.TagKey.Length > 0)
        {
            AppendLabel(ref before, scope.TagKey, scope.TagValue);
        }

        foreach ((string key, string value) in scope.Labels ?? [])
        {
            AppendLabel(ref before, key, value);
        }

        if (upperBound is not null)
        {
            AppendLabel(ref before, "le", upperBound);
        }

        output.Append(before == '{' ? "{}" : "}");
    }

    private void AppendLabel(ref char before, string key, string value)
    {
        output.Append(before).Append(Sanitised(key)).Append("=\"");
        foreach (char unit in value)
        {
            _ = unit switch
            {
                '\\' => output.Append("\\\\"),
                '"' => output.Append("\\\""),
                '\n' => output.Append("\\n"),
                _ => output.Append(unit),
            };
        }

        output.Append('"');
        before = ',';
    }

    private static string FamilyOf(in MetricSample sample) => sample.Scope.Scope.Length == 0
        ? Sanitised(sample.Name)
        : Sanitised($"envoy_{sample.Scope.Scope}_{sample.Name}");

    private static string TypeOf(MetricKind kind) => kind switch
    {
        MetricKind.Counter => "counter",
        MetricKind.Gauge => "gauge",
        _ => "histogram",
    };

    /// <summary>Letters, digits and underscores, not starting with a digit.</summary>
    private static string Sanitised(string name) => string.Create(name.Length, name, static (span, source) =>
    {
        for (int i = 0; i < span.Length; i++)
        {
            bool good = char.IsAsciiLetter(source[i]) || (i > 0 && char.IsAsciiDigit(source[i]));
            span[i] = good ? source[i] : '_';
        }
    });

    private static string Number(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf" : value.ToString("R", CultureInfo.InvariantCulture);
}
