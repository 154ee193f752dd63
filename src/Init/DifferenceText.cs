using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using MeshL4.Interceptor.Apply;

namespace MeshL4.Init;

/// <summary>What diff prints.</summary>
internal static class DifferenceText
{
    /// <summary>A line each: "+" for what the plan has and the kernel has not, "-" for the contrary. Nothing when they are the same.</summary>
    public static string Lines(IReadOnlyList<RuleDifference> differences) =>
        string.Concat(differences.Select(d => $"{(d.Wanted ? '+' : '-')} {d.Line}\n"));

    /// <summary><c>{"same", "missing": [...], "unwanted": [...]}</c>: the lines that the plan has and the kernel has not, and the
    /// contrary, each in order.</summary>
    public static string Json(IReadOnlyList<RuleDifference> differences)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteBoolean("same", differences.Count == 0);
            WriteLines(json, "missing", differences.Where(d => d.Wanted));
            WriteLines(json, "unwanted", differences.Where(d => !d.Wanted));
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static void WriteLines(Utf8JsonWriter json, string name, IEnumerable<RuleDifference> differences)
    {
        json.WriteStartArray(name);
        foreach (RuleDifference difference in differences)
        {
            json.WriteStringValue(difference.Line);
        }

        json.WriteEndArray();
    }
}
