using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests;

/// <summary>Every option that takes a list: repeated, from a file and from its variable it means the same as in one value.</summary>
public class ListOptionTests
{
    /// <summary>The option, two entries, and what else they need to mean something.</summary>
    public static TheoryData<string, string, string, string[]> Lists => new()
    {
        { "istio-inbound-ports", "80", "81-90", [] },
        { "istio-local-exclude-ports", "80", "81", ["-b", "*"] },
        { "subnets-to-ignore", "10.1.0.0/16", "2001:db8::/32", ["-b", "*"] },
        { "kube-virt-interfaces", "tap0", "tap1", ["-i", "*"] },
        { "istio-service-cidr", "10.1.0.0/16", "10.3.0.0/16", [] },
        { "istio-service-exclude-cidr", "10.1.0.0/16", "10.3.0.0/16", ["-i", "*"] },
        { "istio-outbound-ports", "80", "90", [] },
        { "istio-local-outbound-ports-exclude", "80", "90", ["-i", "*"] },
        { "exclude-outbound-ports-for-uids", "tcp:22:1000", "udp:53:7", ["-i", "*"] },
        { "istio-outbound-owner-groups", "5", "6", ["-i", "*"] },
        { "istio-outbound-owner-groups-exclude", "5", "6", ["-i", "*"] },
        { "dns-servers", "10.0.0.1", "10.0.0.2", ["-i", "*", "--redirect-dns"] },
        { "proxy-uid", "1337", "1338", ["-i", "*"] },
        { "proxy-gid", "1337", "1338", ["-i", "*"] },
        { "istio-exclude-interfaces", "eth1", "eth2", ["-i", "*"] },
        { "capture-udp", "53", "5000-5010", ["-i", "*", "-m", "TRANSPARENT"] },
    };

    [Theory]
    [MemberData(nameof(Lists))]
    public void Plan_ListRepeatedFromFileOrVariable_IsTheSame(string option, string first, string second, string[] rest)
    {
        string separator = option == "exclude-outbound-ports-for-uids" ? ";" : ",";
        string variable = option.ToUpperInvariant().Replace('-', '_');
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, $"{first}\n\n  {second}\n");
            string both = Plan(null, [$"--{option}", first + separator + second, .. rest]);
            Plan(null, [$"--{option}", first, .. rest]).ShouldNotBe(both);
            Plan(null, [$"--{option}={first}", .. rest, $"--{option}={second}"]).ShouldBe(both);
            Plan(null, [$"--{option}", $"@{file}", .. rest]).ShouldBe(both);
            Plan((variable, first + separator + second), rest).ShouldBe(both);
            Plan((variable, $"@{file}"), rest).ShouldBe(both);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string Plan((string Name, string Value)? variable, string[] arguments)
    {
        using StringWriter output = new(), error = new();
        int code = Program.Run(["plan", "--format", "json", "--ipv6", "on", .. arguments], name => name == variable?.Name ? variable?.Value : null, output, error, _ => { });
        code.ShouldBe(0, error.ToString());
        return output.ToString();
    }
}
