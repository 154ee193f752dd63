namespace MeshL4.TestKit;

/// <summary>Prometheus exposition text, read as a scrape reads it.</summary>
internal static class Exposition
{
    /// <summary>Every series in its order: a name with its labels, <c>name{label="value"}</c>. A scrape in which one stands twice is thrown away.</summary>
    public static IEnumerable<string> Series(string text)
        => text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(static line => line[0] != '#').Select(static line => line[..line.LastIndexOf(' ')]);
}
