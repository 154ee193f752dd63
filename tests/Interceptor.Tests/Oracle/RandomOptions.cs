namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>Valid flags by chance, out of words that the packets of <see cref="PacketTable"/> meet.</summary>
internal static class RandomOptions
{
    private static readonly string[] PortWords = ["53", "80", "4000", "6000", "15008", "32000", "79-81", "4000-6000", "1-100", "30000:40000", "7"];

    private static readonly string[] BlockWords =
    [
        "1.1.0.0/16", "9.9.0.0/16", "10.0.0.0/8", "10.1.2.3", "10.77.0.2/32", "127.0.0.0/8", "127.1.2.3/32", "203.0.113.0/24", "198.51.100.0/24", "0.0.0.0/0",
        "8.0.0.0/7", "2001:db8::/32", "fd77::/64", "3fff::/20", "::/0", "::7f00:35/128", "11.0.0.0/8", "12.0.0.0/8",
    ];

    private static readonly string[] IdWords = ["1337", "3", "4", "1", "2", "202", "888", "9001", "9002"];

    private static readonly string[] InterfaceWords = ["not-istio-nic", "eth0", "eth1", "eth+", "nothing0"];

    // How likely each flag is given, and what its value is made of.
    private static readonly (string Flag, double Chance, Func<Random, string> Value)[] Words =
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
        ("ipv6", 0.3, r => r.Next(2) == 0 ? "on" : "off"),
    ];

    /// <summary>Flags and values; a function of the random numbers alone.</summary>
    public static (string Flag, string Value)[] Next(Random random) =>
        [.. Words.Where(w => random.NextDouble() < w.Chance).Select(w => (w.Flag, w.Value(random)))];

    private static string Some(Random random, string[] words) =>
        string.Join(',', Enumerable.Range(0, random.Next(1, 5)).Select(_ => words[random.Next(words.Length)]).Distinct());
}
