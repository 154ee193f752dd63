using System.Globalization;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;

namespace MeshL4.Interceptor.Apply;

/// <summary>Policy rules, routes and the passthrough's address, through ip(8): read, added and removed by one run a family. Ours are known by
/// their routing protocol number, whatever options put them there.</summary>
internal sealed class PolicyRouteSetter(CommandRunner runner)
{
    private const string Program = "ip";
    private static readonly string[] Flags = ["-4", "-6"];

    // "local default" with -N, which says types and tables by number: names are whatever the image's files say.
    private const string LocalDefault = "2 default ";

    // The same of any destination.
    private const string Local = "2 ";

    // What a route of IPv6 has that was added without one.
    private const string Ipv6Metric = "1024";

    private readonly HashSet<string> _othersRoutes = [];
    private readonly List<string> _leadingElsewhere = [];
    private bool _othersAddress;
    private bool _unread;

    /// <summary>The lines for <paramref name="plan"/>, less what a kernel without IPv6 on lo cannot have, and less the address and
    /// the routes where <see cref="Installed"/> last saw that somebody else put them there. Rules that redirect do their work without the address: where ip
    /// is missing, or fails, it is left out, and a verification says what cannot be shown.</summary>
    public IReadOnlyList<string> Wanted(RedirectPlan plan) => _unread && plan.Routing.Marks.Count == 0
        ? []
        : [.. PolicyRoutes.Lines(plan.Routing)
            .Where(l => !_othersRoutes.Contains(l) && (l.StartsWith("-4", StringComparison.Ordinal) || (Ipv6OnLoopback() && !(_othersAddress && l == PolicyRoutes.Address))))];

    /// <summary>What is in the kernel, in the words of <see cref="PolicyRoutes"/>; nothing where ip is not installed.</summary>
    public IReadOnlyList<string> Installed()
    {
        _unread = true;
        _othersRoutes.Clear();
        _leadingElsewhere.Clear();
        if (!runner.Exists(Program))
        {
            return [];
        }

        IReadOnlyList<string> installed = [.. Flags.Where(f => f == "-4" || Ipv6InKernel()).SelectMany(Read).OrderByDescending(l => l == PolicyRoutes.Address)];
        _unread = false;
        return installed;
    }

    /// <summary>Routes of somebody else's that <see cref="Installed"/> last saw in the routing table of <paramref name="plan"/>, and that lead anywhere but
    /// here: beside them ours is not looked at, or for some packets only. Those that ours goes before are none of them.</summary>
    public IReadOnlyList<string> LeadingElsewhere(RedirectPlan plan) => plan.Routing.Marks.Count == 0
        ? []
        : [.. _leadingElsewhere.Where(l => Word(l, "table") == $"{plan.Routing.Table}" && (plan.WithIpv6 || l.StartsWith("-4", StringComparison.Ordinal)))];

    /// <summary>The same, or null when ip fails: then nothing is known.</summary>
    public IReadOnlyList<string>? TryInstalled()
    {
        try
        {
            return Installed();
        }
        catch (RedirectException)
        {
            return null;
        }
    }

    /// <summary>Adds what is missing. Replaces nothing: what was there is somebody else's, and nobody would bring it back.</summary>
    public void Add(IReadOnlyList<string> lines) => Batch(lines, l => Insert(l, "add"));

    /// <summary>Removes what is too much: rules before the routes they lead to.</summary>
    public void Remove(IReadOnlyList<string> lines) => Batch([.. lines.Reverse()], l => Insert(l, "del"));

    /// <summary>Removes all of ours, each family by itself: one that fails leaves the other no less removed.</summary>
    /// <param name="failures">Takes why a family's could not be read or removed.</param>
    /// <returns>True when there were any, and they are gone.</returns>
    public bool RemoveAll(ICollection<RedirectException> failures)
    {
        bool removed = false;
        foreach (string flag in Flags.Where(f => runner.Exists(Program) && (f == "-4" || Ipv6InKernel())))
        {
            try
            {
                string[] lines = [.. Read(flag)];
                Remove(lines);
                removed |= lines.Length > 0;
            }
            catch (RedirectException e)
            {
                failures.Add(e);
            }
        }

        return removed;
    }

    private static string Insert(string line, string verb) => line.IndexOf(' ') is int space ? $"{line[..space]} {verb}{line[space..]}" : line;

    private void Batch(IReadOnlyList<string> lines, Func<string, string> command)
    {
        foreach (string flag in Flags)
        {
            string[] family = [.. lines.Where(l => l.StartsWith(flag, StringComparison.Ordinal)).Select(l => command(l[3..]))];
            if (family.Length > 0)
            {
                Run([flag, "-batch", "-"], string.Join('\n', family) + "\n");
            }
        }
    }

    private IEnumerable<string> Read(string flag)
    {
        string listed = Run(["-N", flag, "-batch", "-"], "rule show\nroute show table all\naddr show dev lo\n");
        string[] lines = listed.Split('\n');
        string? address = lines.FirstOrDefault(l => Word(l, "inet6") == PolicyRouting.PassthroughAddress);
        _othersAddress = flag == "-6" && address is not null && !address.Contains("noprefixroute", StringComparison.Ordinal);
        string[] routes = [.. lines.Where(l => l.StartsWith(LocalDefault, StringComparison.Ordinal))];
        // A rule's line says "lookup".
        _leadingElsewhere.AddRange(lines
            .Where(l => Word(l, "table") is not null && !IsOurs(l) && !(l.StartsWith(Local, StringComparison.Ordinal) && Word(l, "dev") == "lo") && !IsBehindOurs(flag, l))
            .Select(l => $"{flag} route {l.Trim()}"));
        // One of the same words but of somebody else's is as good as ours, and cannot stand beside it. With a metric it can.
        _othersRoutes.UnionWith(routes.Where(l => !IsOurs(l) && Word(l, "dev") == "lo" && Word(l, "metric") is null or Ipv6Metric).Select(l => Route(flag, l)));
        return (address is null || _othersAddress ? Array.Empty<string>() : [PolicyRoutes.Address]).Concat(routes.Where(IsOurs).Select(l => Route(flag, l)))
            .Concat(lines.Where(l => IsOurs(l) && Word(l, "fwmark") is not null)
                .Select(l => $"{flag} rule fwmark {Word(l, "fwmark")} lookup {Word(l, "lookup")} protocol {PolicyRoutes.Protocol}"));
    }

    private static bool IsOurs(string line) => Word(line, "proto") == $"{PolicyRoutes.Protocol}";

    // Ours has a lower metric and goes before it, but for a type of service or a source of its own: such a route is looked at first.
    private static bool IsBehindOurs(string flag, string line) => line.Split(' ').Take(2).Contains("default") && Word(line, "tos") is null && Word(line, "from") is null
        && ulong.TryParse(Word(line, "metric"), CultureInfo.InvariantCulture, out ulong metric) && metric > ulong.Parse(flag == "-6" ? Ipv6Metric : "0", CultureInfo.InvariantCulture);

    private static string Route(string flag, string line) => $"{flag} route local default dev lo table {Word(line, "table")} proto {PolicyRoutes.Protocol}";

    private static string? Word(string line, string after)
    {
        string[] words = line.Split(' ', '\t');
        int at = Array.IndexOf(words, after);
        return at >= 0 && at + 1 < words.Length ? words[at + 1] : null;
    }

    private string Run(IReadOnlyList<string> arguments, string input)
    {
        CommandResult result = runner.Run(Program, arguments, input);
        return result.ExitCode == 0 ? result.Output : throw RedirectException.From(Program, result);
    }

    private static bool Ipv6InKernel() => File.Exists("/proc/thread-self/net/if_inet6");

    private static bool Ipv6OnLoopback() =>
        Ipv6InKernel() && File.ReadLines("/proc/sys/net/ipv6/conf/lo/disable_ipv6").FirstOrDefault() == "0";
}
