using MeshL4.Interceptor.Render;

namespace MeshL4.Interceptor.Apply;

/// <summary>Lines of iptables-save that are ours, each with its table before it, and the way from one state of them to another.</summary>
internal static class IptablesState
{
    private static readonly string[] Tables = ["raw", "mangle", "nat"];

    /// <summary>The lines that are ours in iptables-save's output: chain declarations (without figures) and rules, jumps from the
    /// built-in chains among them.</summary>
    public static IReadOnlyList<string> OurLines(string saved)
    {
        var lines = new List<string>();
        string table = "";
        foreach (string line in saved.Split('\n').Where(l => l.Length > 0))
        {
            if (line[0] == '*')
            {
                table = line[1..];
            }
            else if (Tables.Contains(table) && IsOurs(line))
            {
                lines.Add(line[0] == ':' ? $"{table} {line.Split(' ')[0]} - [0:0]" : $"{table} {line}");
            }
        }

        return lines;
    }

    /// <summary>The lines that lead from one state of our chains to another, in one transaction a table: jumps and chains of the old one
    /// go, the new one's come.</summary>
    public static IReadOnlyList<string> Swap(IReadOnlyList<string> old, IReadOnlyList<string> wanted)
    {
        string[] oldChains = [.. old.Where(l => !IsRule(l)).Select(Chain)];
        string[] chains = [.. wanted.Where(l => !IsRule(l)).Select(Chain)];
        return
        [
            .. oldChains.Select(c => $"{Declared(c)} - [0:0]"),
            .. wanted.Where(l => !IsRule(l)).Where(l => !oldChains.Contains(Chain(l))),
            .. old.Where(IsRule).Where(IsJump).Select(l => l.Replace(" -A ", " -D ", StringComparison.Ordinal)),
            .. wanted.Where(IsRule),
            .. oldChains.Except(chains).Select(c => c.Replace(" ", " -X ", StringComparison.Ordinal)),
        ];
    }

    /// <summary>Is it a rule, and not a chain's declaration?</summary>
    public static bool IsRule(string line) => line.Contains(" -A ", StringComparison.Ordinal);

    private static bool IsOurs(string line) => line.StartsWith($":{IptablesText.ChainPrefix}", StringComparison.Ordinal)
        || line.StartsWith($"-A {IptablesText.ChainPrefix}", StringComparison.Ordinal)
        || (line.StartsWith("-A ", StringComparison.Ordinal) && line.Contains($"-j {IptablesText.ChainPrefix}", StringComparison.Ordinal));

    private static bool IsJump(string rule) => !rule.Contains($" -A {IptablesText.ChainPrefix}", StringComparison.Ordinal);

    // "nat MESHL4_OUTPUT" of "nat :MESHL4_OUTPUT - [0:0]".
    private static string Chain(string declaration) => string.Join(' ', declaration.Split(' ').Take(2)).Replace(":", "", StringComparison.Ordinal);

    private static string Declared(string chain) => chain.Replace(" ", " :", StringComparison.Ordinal);
}
