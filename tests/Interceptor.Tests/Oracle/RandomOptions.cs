using System.Net;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>Valid options by chance, out of words that the packets of <see cref="PacketTable"/> meet.</summary>
internal static class RandomOptions
{
    private static readonly string[] PortWords = ["53", "80", "4000", "6000", "15008", "32000", "79-81", "4000-6000", "1-100", "30000:40000", "7"];

    private static readonly string[] BlockWords =
    [
        "1.1.0.0/16", "9.9.0.0/16", "10.0.0.0/8", "10.1.2.3", "10.77.0.2/32", "127.0.0.0/8", "127.1.2.3/32", "203.0.113.0/24", "198.51.100.0/24", "0.0.0.0/0",
        "8.0.0.0/7", "2001:db8::/32", "fd77::/64", "3fff::/20", "::/0", "::7f00:35/128", "11.0.0.0/8", "12.0.0.0/8",
    ];

    private static readonly string[] SourceWords = ["10.77.0.1", "10.78.0.0/24", "10.81.0.2", "fd77::/64", "fd81::2", "192.0.2.0/24"];

    private static readonly string[] IdWords = ["1337", "3", "4", "1", "2", "202", "888", "9001", "9002"];

    private static readonly string[] InterfaceWords = ["not-istio-nic", "eth0", "eth1", "eth+", "nothing0"];

    private static readonly string[] ResolverWords = ["127.0.0.53", "9.9.9.9", "::7f00:35", "2001:db8::1", "203.0.113.9", "10.77.0.2"];

    // How likely each flag is given, and what its value is made of.
    private static readonly (string Flag, double Chance, Func<Random, string> Value)[] FlagWords =
    [
        ("istio-inbound-ports", 0.8, r => r.Next(2) == 0 ? "*" : Some(r, PortWords)),
        ("istio-local-exclude-ports", 0.5, r => Some(r, PortWords)),
        ("istio-service-cidr", 0.8, r => r.Next(2) == 0 ? "*" : Some(r, BlockWords)),
        ("istio-service-exclude-cidr", 0.5, r => Some(r, BlockWords)),
        ("istio-outbound-ports", 0.4, r => Some(r, PortWords)),
        ("istio-local-outbound-ports-exclude", 0.4, r => Some(r, PortWords)),
        ("istio-exclude-interfaces", 0.3, r => Some(r, InterfaceWords)),
        ("istio-outbound-ipv4-loopback-cidr", 0.2, r => r.Next(2) == 0 ? "127.0.0.1/8" : "127.0.0.0/24"),
        ("proxy-uid", 0.4, r => Some(r, IdWords)),
        ("proxy-gid", 0.4, r => Some(r, IdWords)),
    ];

    // Options whose flags take their values from the system, or that only some modes have.
    private static readonly (double Chance, Func<Random, RedirectOptions, RedirectOptions> Set)[] OptionWords =
    [
        // Also where the kernel, not a flag, has no IPv6: then lists of both families are no error.
        (0.15, (_, o) => o with { WithIpv6 = false }),
        (0.4, (r, o) => o with { Mode = (InterceptionMode)r.Next(3) }),
        (0.3, (r, o) => o with { Dns = DnsCapture.Servers, DnsServers = [.. Some(r, ResolverWords).Split(',').Select(IPAddress.Parse)] }),
        (0.1, (_, o) => o with { Dns = DnsCapture.All }),
        (0.2, (_, o) => o with { DropInvalid = true }),
        (0.2, (r, o) => o with { VirtualInterfaces = r.Next(2) == 0 ? ["eth1"] : ["eth0", "eth1"] }),
        (0.2, (r, o) => o with { OwnerGroups = Ids(r) }),
        (0.2, (r, o) => o with { ExcludedOwnerGroups = Ids(r) }),
        (0.2, (r, o) => o with { InboundExcludedSources = [.. Some(r, SourceWords).Split(',').Select(Block)] }),
        (0.2, (r, o) => o with { UserExclusions = [new((Transports)r.Next(1, 4), Ports(r), [new(3, 4)]), new(Transports.Tcp, Ports(r), [new(900, 1100)])] }),
        (0.1, (_, o) => o with { RedirectInbound = false }),
        (0.1, (_, o) => o with { RedirectOutbound = false }),
        (0.4, (r, o) => o.Mode == InterceptionMode.Transparent ? o with { UdpPorts = r.Next(2) == 0 ? new(true, new PortSet([])) : new(false, Ports(r)) } : o),
    ];

    /// <summary>Options; a function of the random numbers alone.</summary>
    public static RedirectOptions Next(Random random)
    {
        RedirectOptions options = Flags.Options([.. FlagWords.Where(w => random.NextDouble() < w.Chance).Select(w => (w.Flag, w.Value(random)))]);
        return OptionWords.Where(w => random.NextDouble() < w.Chance).Aggregate(options, (o, word) => word.Set(random, o));
    }

    /// <summary>Everything that is not at its default, on one line.</summary>
    public static string Describe(RedirectOptions options)
    {
        var defaults = new RedirectOptions();
        return string.Join(' ', typeof(RedirectOptions).GetProperties()
            .Select(p => (p.Name, Text: Text(p.GetValue(options)), Default: Text(p.GetValue(defaults)))).Where(p => p.Text != p.Default).Select(p => $"{p.Name}={p.Text}"));
    }

    private static string Text(object? value) => value switch
    {
        System.Collections.IEnumerable many and not string => $"[{string.Join(',', many.Cast<object>().Select(Text))}]",
        CidrChoice choice => choice.All ? "*" : Text(choice.Blocks),
        _ => value?.ToString() ?? "-",
    };

    private static string Some(Random random, string[] words) =>
        string.Join(',', Enumerable.Range(0, random.Next(1, 5)).Select(_ => words[random.Next(words.Length)]).Distinct());

    private static uint[] Ids(Random random) => [.. Some(random, IdWords).Split(',').Select(uint.Parse)];

    private static PortSet Ports(Random random) => new(Some(random, PortWords).Split(',').Select(w => EntryParser.TryPortRange(w, out PortRange range) ? range : throw new FormatException(w)));

    private static IPNetwork Block(string word) => EntryParser.TryBlock(word, out IPNetwork block) ? block : throw new FormatException(word);
}
