using System.Text.RegularExpressions;

namespace MeshL4.Interceptor.Apply;

/// <summary>What the error text of nft, iptables or ip says about the kernel: what is missing, and what to do. Pure; the texts are those
/// of nftables 0.9 to 1.1, iptables 1.6 to 1.8 (both variants) and iproute2.</summary>
/// <param name="Failure">The kind of failure.</param>
/// <param name="Advice">What is missing and what to do, a sentence or two; empty when the text says all there is to say.</param>
internal sealed partial record KernelRefusal(RedirectFailure Failure, string Advice)
{
    private const RegexOptions Plain = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;

    private static readonly string[] Forbidden = ["not permitted", "must be root", "Permission denied"];
    private static readonly string[] TableAbsent = ["unable to initialize table", "Table does not exist", "do you need to insmod", "TABLE_ADD failed"];
    private static readonly string[] NfTablesAbsent = ["Unable to initialize Netlink socket", "Failed to initialize nft", "cache initialization failed", "Could not fetch rule set generation id"];

    // Words of nft that stand for a module of the kernel; what is not here is part of nf_tables itself.
    private static readonly (string Word, string Module)[] Expressions =
    [
        ("tproxy", "nft_tproxy"), ("socket", "nft_socket"), ("fib", "nft_fib_inet"), ("redirect", "nft_redir"), ("ct", "nft_ct"),
    ];

    /// <summary>Reads a program's error text.</summary>
    /// <param name="program">Its name; ip6tables is told from iptables by it.</param>
    /// <param name="text">What it said.</param>
    /// <param name="lackedCapabilities">Which of CAP_NET_ADMIN and CAP_NET_RAW this process lacks: the older iptables says of a table that
    /// it may not see what it says of one that is not there.</param>
    public static KernelRefusal Read(string program, string text, IReadOnlyList<string> lackedCapabilities)
    {
        bool noTable = Any(text, TableAbsent);
        if (text.Contains("xtables lock", StringComparison.OrdinalIgnoreCase))
        {
            return new(RedirectFailure.LockHeld, "Another program holds the xtables lock and did not let go of it in time: run again when it has ended.");
        }

        if (text.Contains("Read-only file system", StringComparison.OrdinalIgnoreCase))
        {
            return new(RedirectFailure.ReadOnly, "The named file is on a read-only file system: mount a writable one there (an emptyDir at /run holds the xtables lock), or use nft, which writes no file.");
        }

        if (Any(text, Forbidden) || (noTable && lackedCapabilities.Count > 0))
        {
            return new(RedirectFailure.NotPermitted, $"The rules need CAP_NET_ADMIN (and CAP_NET_RAW for iptables){Lacking(lackedCapabilities)}: "
                + "add both to the init container's capabilities and run it as root.");
        }

        // What was there when routes and addresses were read is not added again, or is refused by its name.
        if (program == "ip" && (text.Contains("File exists", StringComparison.Ordinal) || text.Contains("address already assigned", StringComparison.Ordinal)))
        {
            return new(RedirectFailure.Refused, "Another program has added the same route or address in this moment: run again, for what is there by then is taken into account.");
        }

        return MissingExtension(text) ?? MissingTable(program, text, noTable) ?? MissingExpression(text)
            ?? new(RedirectFailure.Refused, "");
    }

    private static string Lacking(IReadOnlyList<string> capabilities) => capabilities.Count == 0 ? "" : $"; {string.Join(" and ", capabilities)} missing here";

    private static bool Any(string text, string[] parts) => parts.Any(p => text.Contains(p, StringComparison.OrdinalIgnoreCase));

    // "Warning: Extension owner revision 0 not supported, missing kernel module?" and, before 1.8, "Couldn't load match `owner'".
    private static KernelRefusal? MissingExtension(string text) => Extension().Match(text) is { Success: true } m
        ? Missing(m.Groups["name"].Value is "TPROXY" or "owner" ? $"xt_{m.Groups["name"].Value}" : $"xt_{m.Groups["name"].Value.ToLowerInvariant()}")
        : null;

    private static KernelRefusal? MissingTable(string program, string text, bool noTable)
    {
        bool noNfTables = Any(text, NfTablesAbsent);
        if (program.StartsWith("ip6tables", StringComparison.Ordinal) && (noTable || noNfTables))
        {
            return NoIp6tables("the kernel has no tables for ip6tables", $"ip6table_{Table(text)}");
        }

        if (noNfTables || (noTable && text.Contains("TABLE_ADD", StringComparison.Ordinal)))
        {
            return new(RedirectFailure.NoNfTables, "The kernel has no nf_tables: load it on the node (modprobe nf_tables), or have iptables-legacy in the image and leave "
                + "--native-nftables out: its tables (iptable_nat) are taken where nf_tables is missing.");
        }

        return noTable ? Missing($"iptable_{Table(text)}") : null;
    }

    // Each table is a module of its own.
    private static string Table(string text) => TableName().Match(text) is { Success: true } m ? m.Groups["name"].Value : "nat";

    // nft quotes the script and underlines what the kernel would not have: an expression, a chain, or all of a rule.
    private static KernelRefusal? MissingExpression(string text)
    {
        string[] lines = text.Split('\n');
        int error = Array.FindIndex(lines, l => l.Contains("Could not process rule: No such file", StringComparison.Ordinal)
            || l.Contains("Could not process rule: Operation not supported", StringComparison.Ordinal));
        if (error < 0 || error + 2 >= lines.Length)
        {
            return null;
        }

        (string quoted, string carets) = (lines[error + 1], lines[error + 2]);
        int from = carets.IndexOf('^', StringComparison.Ordinal);
        int to = Math.Min(carets.LastIndexOf('^') + 1, quoted.Length);
        if (from < 0 || from >= to)
        {
            return null;
        }

        if (quoted.TrimStart().StartsWith("chain ", StringComparison.Ordinal))
        {
            return Missing("nft_chain_nat");
        }

        // Words are underlined to their end or not at all, whatever the version; what a rule says of itself is no part of it.
        to = quoted.IndexOf(' ', to) is >= 0 and int end ? end : quoted.Length;
        string[] words = quoted[from..to].Split(" comment ")[0].Split(' ');
        return Expressions.Where(e => words.Contains(e.Word)).Select(e => Missing(e.Module)).FirstOrDefault();
    }

    private static KernelRefusal Missing(string module) => module switch
    {
        "nft_tproxy" or "xt_TPROXY" => new(RedirectFailure.NoTproxy,
            $"The kernel has no {module}, which this mode needs: load it on the node (modprobe {module}), or use --istio-inbound-interception-mode REDIRECT."),
        "xt_owner" => new(RedirectFailure.NoOwner,
            "The kernel has no xt_owner, without which the proxy's own connections would be captured too: load it on the node (modprobe xt_owner), or use nft, which does without."),
        _ => new(RedirectFailure.ModuleMissing, $"The kernel has no {module}, which these rules need: load it on the node (modprobe {module})."),
    };

    /// <summary>IPv6 is to be redirected, and <paramref name="why"/>.</summary>
    public static KernelRefusal NoIp6tables(string why, string module = "ip6table_nat") => new(RedirectFailure.NoIp6tables,
        $"IPv6 is on here, and {why}: load {module} on the node and have ip6tables in the image, or say --ipv6 off, which lets IPv6 by.");

    [GeneratedRegex(@"(Extension (?<name>\w+) (revision \d+ )?(is )?not supported|Couldn't load (match|target) [`'](?<name>\w+)')", Plain)]
    private static partial Regex Extension();

    [GeneratedRegex(@"table [`'](?<name>raw|mangle|nat)'", Plain)]
    private static partial Regex TableName();
}
