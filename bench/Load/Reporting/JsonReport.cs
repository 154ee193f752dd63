using System.Text.Json;
using System.Text.Json.Nodes;
using MeshL4.Load.Cases;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Reporting;

/// <summary>The run for machines: every figure of every round, medians, and the verdicts.</summary>
internal static class JsonReport
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes the file.</summary>
    public static void Write(string file, BenchOptions options, IEnumerable<CaseResult> results)
    {
        var root = new JsonObject
        {
            ["rounds"] = options.RoundCount,
            ["secondsPerMeasurement"] = options.Seconds,
            ["quick"] = options.Quick,
            ["processors"] = Environment.ProcessorCount,
            ["cases"] = new JsonArray(results.Select(Case).ToArray<JsonNode?>()),
        };
        File.WriteAllText(file, root.ToJsonString(Indented) + "\n");
    }

    private static JsonObject Case(CaseResult result) => new()
    {
        ["name"] = result.Case.Name,
        ["what"] = result.Case.What,
        ["series"] = new JsonArray(result.AllSeries.Select(OneSeries).ToArray<JsonNode?>()),
        ["bars"] = new JsonArray(result.Case.Bars.Select(bar => OneBar(Verdict.Of(result, bar))).ToArray<JsonNode?>()),
    };

    private static JsonObject OneSeries(Series series)
    {
        var subjects = new JsonObject();
        foreach (var subject in series.Subjects)
        {
            var values = series.Of(subject)!;
            subjects[subject] = new JsonObject
            {
                ["median"] = Statistics.Median(values),
                ["rounds"] = new JsonArray(values.Select(v => (JsonNode?)JsonValue.Create(v)).ToArray()),
            };
        }

        return new JsonObject { ["metric"] = series.Metric, ["unit"] = series.Unit, ["subjects"] = subjects };
    }

    private static JsonObject OneBar(Verdict verdict) => new()
    {
        ["metric"] = verdict.Bar.Metric,
        ["subject"] = verdict.Bar.Subject,
        ["reference"] = verdict.Bar.Reference,
        [verdict.Bar.AtLeast ? "atLeast" : "atMost"] = verdict.Bar.Limit,
        ["value"] = double.IsNaN(verdict.Value) ? null : verdict.Value,
        ["noise"] = verdict.Noise,
        ["outcome"] = Tables.Word(verdict.Outcome),
    };
}
