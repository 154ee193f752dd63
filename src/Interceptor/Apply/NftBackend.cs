using System.Text.RegularExpressions;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;

namespace MeshL4.Interceptor.Apply;

/// <summary>Rules through the nft program: one table, one transaction, both families.</summary>
internal sealed partial class NftBackend(CommandRunner runner) : IRuleBackend
{
    private const string Program = "nft";

    private string _listed = "";

    /// <inheritdoc/>
    public string Name => Program;

    /// <summary>Did the last reading see chains that our iptables backend left?</summary>
    public bool SawIptablesChains { get; private set; }

    /// <inheritdoc/>
    public IReadOnlyList<string> Installed()
    {
        _listed = TableText(Listing());
        return TableLines(_listed);
    }

    // What packets taught the rules before is as true under the new ones: connections that they tell of go on. Where ports stay for a
    // time only, it begins anew.
    private static string Kept(string table, IEnumerable<LearnedSet> sets) => string.Concat(
        from set in sets
        let elements = Regex.Match(table, $@"\tset {set.Name} \{{[^}}]*?elements = \{{([^}}]*)\}}", RegexOptions.None, TimeSpan.FromSeconds(10))
        where elements.Success
        let ports = elements.Groups[1].Value.Split(',').Select(e => e.Trim().Split(' ')[0])
        select $"add element {NftScript.Table} {set.Name} {{ {string.Join(", ", ports)} }}\n");

    /// <inheritdoc/>
    public IReadOnlyList<string> Wanted(RedirectPlan plan) => TableLines(NftScript.Body(plan));

    /// <inheritdoc/>
    public void Replace(RedirectPlan plan) => Write(NftScript.Replace(plan) + Kept(_listed, plan.Sets));

    /// <inheritdoc/>
    public (bool Any, Action PutBack) Remember()
    {
        // Without figures: counters that start again are no change of the rules.
        string table = TableText(Listing("-s"));
        return (table.Length > 0, () => PutBack(table));
    }

    // Not written again when nothing has changed: what cannot write has not changed it either.
    private void PutBack(string table)
    {
        string now = TableText(Listing("-s"));
        if (!TableLines(now).SequenceEqual(TableLines(table)))
        {
            // With what was learned since: its connections have outlived the rules that saw them begin.
            IEnumerable<LearnedSet> sets = LearnedSet.All.Where(s => table.Contains($"\tset {s.Name} {{", StringComparison.Ordinal));
            Write($"add table {NftScript.Table}\ndelete table {NftScript.Table}\n{table}{Kept(now, sets)}");
        }
    }

    /// <inheritdoc/>
    public void Remove() => Write($"delete table {NftScript.Table}\n");

    /// <summary>Our table's lines out of a listing: without counter figures and what packets filled sets with, and with sets that nft broke over several lines joined
    /// again.</summary>
    internal static IReadOnlyList<string> TableLines(string listing)
    {
        string text = BrokenSet().Replace(ElementCount().Replace(Figures().Replace(TableText(listing), "counter"), ""), ", ");
        return [.. text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && !l.StartsWith("elements = ", StringComparison.Ordinal))];
    }

    private static string TableText(string listing)
    {
        int start = listing.IndexOf($"table {NftScript.Table} {{\n", StringComparison.Ordinal);
        if (start < 0)
        {
            return "";
        }

        int end = listing.IndexOf("\n}\n", start, StringComparison.Ordinal);
        return listing[start..(end < 0 ? listing.Length : end + 3)];
    }

    // The whole ruleset and not our table alone: a table that is missing would be an error text to guess at.
    private string Listing(params string[] flags)
    {
        CommandResult listed = runner.Run(Program, ["-y", .. flags, "list", "ruleset"]);
        if (listed.ExitCode != 0)
        {
            throw RedirectException.From(Program, listed);
        }

        SawIptablesChains = listed.Output.Contains($"chain {IptablesText.ChainPrefix}", StringComparison.Ordinal);
        return listed.Output;
    }

    private void Write(string script)
    {
        CommandResult written = runner.Run(Program, ["-f", "-"], script);
        if (written.ExitCode != 0)
        {
            throw RedirectException.From(Program, written);
        }
    }

    [GeneratedRegex("counter packets [0-9]+ bytes [0-9]+")]
    private static partial Regex Figures();

    // Newer versions say behind a set's size how many elements it has.
    [GeneratedRegex("(?<=\tsize [0-9]+)\\s*# count [0-9]+")]
    private static partial Regex ElementCount();

    [GeneratedRegex(@",\s*\n\s*")]
    private static partial Regex BrokenSet();
}
