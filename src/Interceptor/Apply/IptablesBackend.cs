using System.Net.Sockets;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;

namespace MeshL4.Interceptor.Apply;

/// <summary>Rules through iptables-save and iptables-restore: one transaction a table, IPv4 taken back when IPv6 fails.</summary>
/// <param name="runner">Runs the programs.</param>
/// <param name="kind">"nft", "legacy", or null for whatever plain iptables is.</param>
/// <param name="withIpv6">False when there is no ip6tables.</param>
internal sealed class IptablesBackend(CommandRunner runner, string? kind, bool withIpv6) : IRuleBackend
{
    // As istio-iptables waits. A replace is two runs, and a rollback two more.
    private const string LockSeconds = "30";

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

            _before[family] = IptablesState.OurLines(saved.Output);
        }

        return [.. Families.SelectMany(f => ByChain(_before[f].Where(IptablesState.IsRule)).Select(l => Label(f, l)))];
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Wanted(RedirectPlan plan) => Obstacle(plan) is RedirectException obstacle
        ? throw obstacle
        : [.. Families.Where(f => plan.WithIpv6 || f == AddressFamily.InterNetwork)
            .SelectMany(f => ByChain(IptablesText.Lines(plan, f).Where(IptablesState.IsRule)).Select(l => Label(f, l)))];

    /// <inheritdoc/>
    public void Replace(RedirectPlan plan)
    {
        var before = new Dictionary<AddressFamily, IReadOnlyList<string>>(_before);
        try
        {
            foreach (AddressFamily family in Families)
            {
                bool wanted = plan.WithIpv6 || family == AddressFamily.InterNetwork;
                Restore(family, IptablesState.Swap(before[family], wanted ? IptablesText.Lines(plan, family) : []));
            }
        }
        catch (RedirectException e)
        {
            // Tables are committed one by one: some may have their new rules already.
            try
            {
                PutBack(before);
            }
            catch (RedirectException undo)
            {
                throw new RedirectException(RedirectFailure.HalfDone, $"{e.Message}\nWhat was written before it could not be taken back: {undo.Message}");
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public (bool Any, Action PutBack) Remember()
    {
        bool any = Installed().Count > 0;
        var remembered = new Dictionary<AddressFamily, IReadOnlyList<string>>(_before);
        return (any, () => PutBack(remembered));
    }

    /// <inheritdoc/>
    public void Remove()
    {
        foreach (AddressFamily family in Families.Where(f => _before[f].Count > 0))
        {
            Restore(family, IptablesState.Swap(_before[family], []));
        }
    }

    private RedirectException? Obstacle(RedirectPlan plan)
    {
        if (IptablesText.Obstacle(plan) is string obstacle)
        {
            return new(RedirectFailure.Refused, runner.Exists("nft") ? obstacle : $"{obstacle}; nft is not installed");
        }

        // Connections by IPv6 would pass the proxy by, and nobody would know.
        var missing = KernelRefusal.NoIp6tables($"{Program(AddressFamily.InterNetworkV6, "save")} is not installed");
        return plan.WithIpv6 && !withIpv6 ? new(missing.Failure, missing.Advice) : null;
    }

    // The programs list chains in orders of their own; only the order inside a chain means something.
    private static IEnumerable<string> ByChain(IEnumerable<string> rules) => rules.OrderBy(r => string.Join(' ', r.Split(' ').Take(3)), StringComparer.Ordinal);

    private static string Label(AddressFamily family, string line) => $"{(family == AddressFamily.InterNetwork ? "v4" : "v6")} {line}";

    private string Program(AddressFamily family, string verb) =>
        $"{(family == AddressFamily.InterNetwork ? "iptables" : "ip6tables")}{(kind is null ? "" : $"-{kind}")}-{verb}";

    private void PutBack(Dictionary<AddressFamily, IReadOnlyList<string>> earlier)
    {
        _ = Installed();
        foreach (AddressFamily family in Families.Where(f => !_before[f].SequenceEqual(earlier[f])))
        {
            Restore(family, IptablesState.Swap(_before[family], earlier[family]));
        }
    }

    private void Restore(AddressFamily family, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
        {
            return;
        }

        // Nothing of ours to take away: then nothing is handed from table to table.
        bool first = lines.All(l => !l.Contains(" -D ", StringComparison.Ordinal));
        string[] scripts = first ? [IptablesText.Script(lines)] : [.. IptablesText.Transactions(lines)];
        for (int i = 0; i < scripts.Length; i++)
        {
            if (i > 0)
            {
                // A packet on its way from the one table to the other would find the capture in neither.
                PacketsInFlight.Finish();
            }

            string program = Program(family, "restore");
            CommandResult restored = runner.Run(program, ["--noflush", "--wait", LockSeconds], scripts[i]);
            if (restored.ExitCode != 0)
            {
                throw RedirectException.From(program, restored);
            }
        }
    }
}
