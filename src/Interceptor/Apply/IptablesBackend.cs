using System.Net.Sockets;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;

namespace MeshL4.Interceptor.Apply;

/// <summary>Rules through iptables-save and iptables-restore: one transaction a family, IPv4 taken back when IPv6 fails.</summary>
/// <param name="runner">Runs the programs.</param>
/// <param name="kind">"nft", "legacy", or null for whatever plain iptables is.</param>
/// <param name="withIpv6">False when there is no ip6tables.</param>
internal sealed class IptablesBackend(CommandRunner runner, string? kind, bool withIpv6) : IRuleBackend
{
    private readonly Dictionary<AddressFamily, IReadOnlyList<string>> _before = [];

    /// <inheritdoc/>
    public string Name => kind is null ? "iptables" : $"iptables-{kind}";

    private AddressFamily[] Families =>
        withIpv6 ? [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6] : [AddressFamily.InterNetwork];

    /// <inheritdoc/>
    public IReadOnlyList<string> Installed()
    {
        foreach (AddressFamily family in Families)
        {
            // Without -t: asking for a table by name makes the kernel create it.
            CommandResult saved = runner.Run(Program(family, "save"), []);
            if (saved.ExitCode != 0)
            {
                throw RedirectException.From(Program(family, "save"), saved);
            }

            _before[family] = OurLines(saved.Output);
        }

        return [.. Families.SelectMany(f => ByChain(_before[f].Where(IsRule)).Select(l => Label(f, l)))];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Wanted(RedirectPlan plan) =>
        [.. Families.Where(f => plan.WithIpv6 || f == AddressFamily.InterNetwork)
            .SelectMany(f => ByChain(IptablesText.Rules(plan, f)).Select(l => Label(f, l)))];

    /// <inheritdoc/>
    public void Replace(RedirectPlan plan)
    {
        var done = new List<AddressFamily>();
        try
        {
            foreach (AddressFamily family in Families)
            {
                bool wanted = plan.WithIpv6 || family == AddressFamily.InterNetwork;
                Restore(family, Swap(_before[family], wanted ? [.. Declared(plan), .. IptablesText.Rules(plan, family)] : []));
                done.Add(family);
            }
        }
        catch (RedirectException)
        {
            foreach (AddressFamily family in done)
            {
                Restore(family, Swap([.. Declared(plan), .. IptablesText.Rules(plan, family)], _before[family]));
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public (bool Any, Action PutBack) Remember()
    {
        bool any = Installed().Count > 0;
        var remembered = new Dictionary<AddressFamily, IReadOnlyList<string>>(_before);
        return (any, () =>
        {
            _ = Installed();
            foreach (AddressFamily family in Families.Where(f => !_before[f].SequenceEqual(remembered[f])))
            {
                Restore(family, Swap(_before[family], remembered[family]));
            }
        });
    }

    /// <inheritdoc/>
    public void Remove()
    {
        foreach (AddressFamily family in Families.Where(f => _before[f].Count > 0))
        {
            Restore(family, Swap(_before[family], []));
        }
    }

    /// <summary>The nat table's lines that are ours in iptables-save's output: chain declarations (without figures) and rules, jumps
    /// from the built-in chains among them.</summary>
    internal static IReadOnlyList<string> OurLines(string saved)
    {
        int start = saved.IndexOf("*nat\n", StringComparison.Ordinal);
        if (start < 0)
        {
            return [];
        }

        int end = saved.IndexOf("\nCOMMIT", start, StringComparison.Ordinal);
        string nat = saved[start..(end < 0 ? saved.Length : end)];
        return [.. nat.Split('\n').Where(IsOurs).Select(l => l[0] == ':' ? $"{l.Split(' ')[0]} - [0:0]" : l)];
    }

    /// <summary>The lines that lead from one state of our chains to another in one transaction: jumps and chains of the old one go,
    /// the new one's come.</summary>
    internal static IReadOnlyList<string> Swap(IReadOnlyList<string> old, IReadOnlyList<string> wanted)
    {
        string[] oldChains = [.. old.Where(l => !IsRule(l)).Select(ChainName)];
        return
        [
            .. oldChains.Select(c => $":{c} - [0:0]"),
            .. wanted.Where(l => !IsRule(l)).Where(l => !oldChains.Contains(ChainName(l))),
            .. old.Where(IsRule).Where(IsJump).Select(l => $"-D{l[2..]}"),
            .. wanted.Where(IsRule),
            .. oldChains.Except(wanted.Where(l => !IsRule(l)).Select(ChainName)).Select(c => $"-X {c}"),
        ];
    }

    private static IEnumerable<string> Declared(RedirectPlan plan) => IptablesText.Chains(plan).Select(c => $":{c} - [0:0]");

    private static bool IsOurs(string line) =>
        line.StartsWith($":{IptablesText.ChainPrefix}", StringComparison.Ordinal)
        || (IsRule(line) && (!IsJump(line) || line.Contains($"-j {IptablesText.ChainPrefix}", StringComparison.Ordinal)));

    private static bool IsRule(string line) => line.StartsWith("-A ", StringComparison.Ordinal);

    private static bool IsJump(string rule) => !rule.StartsWith($"-A {IptablesText.ChainPrefix}", StringComparison.Ordinal);

    private static string ChainName(string declaration) => declaration.Split(' ')[0][1..];

    // The programs list chains in orders of their own; only the order inside a chain means something.
    private static IEnumerable<string> ByChain(IEnumerable<string> rules) => rules.OrderBy(r => r.Split(' ')[1], StringComparer.Ordinal);

    private static string Label(AddressFamily family, string line) => $"{(family == AddressFamily.InterNetwork ? "v4" : "v6")} {line}";

    private string Program(AddressFamily family, string verb) =>
        $"{(family == AddressFamily.InterNetwork ? "iptables" : "ip6tables")}{(kind is null ? "" : $"-{kind}")}-{verb}";

    private void Restore(AddressFamily family, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
        {
            return;
        }

        string program = Program(family, "restore");
        CommandResult restored = runner.Run(program, ["--noflush", "--wait", "30"], IptablesText.Script(lines));
        if (restored.ExitCode != 0)
        {
            throw RedirectException.From(program, restored);
        }
    }
}
