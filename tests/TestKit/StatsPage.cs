using System.Globalization;

namespace MeshL4.TestKit;

/// <summary>The text of the admin page <c>/stats</c>: a line <c>name: figure</c> each.</summary>
internal static class StatsPage
{
    /// <summary>One figure; 0 when it is not there.</summary>
    public static long Figure(string page, string name)
    {
        string? line = page.Split('\n').FirstOrDefault(l => l.StartsWith(name + ": ", StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line[(name.Length + 2)..], CultureInfo.InvariantCulture);
    }
}
