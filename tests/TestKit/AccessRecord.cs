using System.Text.Json;

namespace MeshL4.TestKit;

/// <summary>One line of the access log as <see cref="Bootstrap"/> asks for it; unset values are "-".</summary>
internal sealed record AccessRecord(
    string Listener, string Flags, string By, string Details, long Received, long Sent, string Remote, string Direct, string Local)
{
    public static AccessRecord Parse(string line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        string Text(string name) => document.RootElement.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? value.ToString()
            : "-";
        long Number(string name) => long.TryParse(Text(name), out long number) ? number : 0;
        return new AccessRecord(
            Text("listener"), Text("flags"), Text("by"), Text("details"), Number("received"), Number("sent"), Text("remote"), Text("direct"), Text("local"));
    }
}
