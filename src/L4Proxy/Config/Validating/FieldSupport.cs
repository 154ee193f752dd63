using System.Collections.Concurrent;
using System.Collections.Frozen;
using Google.Protobuf.Reflection;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>What this build does with a field the API has.</summary>
internal enum Support
{
    /// <summary>Acted on, or plain information.</summary>
    Supported,

    /// <summary>Not acted on, and the data path behaves the same: a warning.</summary>
    Harmless,

    /// <summary>Not acted on, and leaving it out would change behaviour or weaken a policy: an error.</summary>
    Unsupported,
}

/// <summary>The checked-in table <c>fields.txt</c>: for each message of the subset, what is done with each field.</summary>
internal static class FieldSupport
{
    private static readonly FrozenDictionary<string, Support> ByField = Parse(ReadTable());

    // A control plane's update asks for every field of every endpoint: the names are put together once for each.
    private static readonly ConcurrentDictionary<FieldDescriptor, Support> Known = new();

    /// <summary>Fields of messages the table does not name are unsupported; those of google.protobuf are values and always supported.</summary>
    public static Support Of(FieldDescriptor field) => Known.GetOrAdd(field, Look);

    private static Support Look(FieldDescriptor field)
    {
        MessageDescriptor message = field.ContainingType;
        if (message.File.Package == "google.protobuf")
            return Support.Supported;
        if (ByField.TryGetValue($"{message.FullName}.{field.Name}", out Support support))
            return support;
        return ByField.GetValueOrDefault($"{message.FullName}.*", Support.Unsupported);
    }

    /// <summary>Entries as written, <c>message.field</c> or <c>message.*</c>; for the test that holds them against the protos.</summary>
    internal static IEnumerable<string> Entries => ByField.Keys;

    private static string ReadTable()
    {
        using Stream table = typeof(FieldSupport).Assembly.GetManifestResourceStream("MeshL4.L4Proxy.Config.Validating.fields.txt")!;
        using StreamReader reader = new(table);
        return reader.ReadToEnd();
    }

    private static FrozenDictionary<string, Support> Parse(string table)
    {
        Dictionary<string, Support> entries = new(StringComparer.Ordinal);
        string package = "", message = "";
        foreach (string raw in table.Split('\n'))
        {
            string line = raw.Trim();
            if (line.Length == 0 || line[0] == '#')
                continue;
            if (line.StartsWith("package ", StringComparison.Ordinal))
                package = line[8..];
            else if (line[0] is '+' or '~')
                AddFields(entries, $"{package}.{message}", line);
            else
                message = line;
        }
        return entries.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static void AddFields(Dictionary<string, Support> entries, string message, string line)
    {
        Support support = line[0] == '+' ? Support.Supported : Support.Harmless;
        foreach (string field in line[1..].Split(' ', StringSplitOptions.RemoveEmptyEntries))
            entries.Add($"{message}.{field}", support);
    }
}
