using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>Whether IPv6 is redirected, by the addresses of the pod. Root only.</summary>
public class DualStackTests
{
    private const string Pod = "ip link add eth0 type veth peer name peer; ip link set peer up; ip link set eth0 up\n";
    private const string Both = "ip addr add 10.77.0.2/24 dev eth0; ip addr add fd77::2/64 dev eth0 nodad\n";
    private const string Note = "IPv6 is left alone";

    [Theory]
    [InlineData(Both, "", false)]
    [InlineData(Both, "--dual-stack=false", false)]
    [InlineData(Both, "--dual-stack", true)]
    [InlineData(Both + "export ISTIO_DUAL_STACK=true\n", "", true)]
    [InlineData(Both + "export ISTIO_DUAL_STACK=true\n", "--dual-stack=false", false)]
    [InlineData(Both, "--ipv6 on", true)]
    [InlineData("ip addr add fd77::2/64 dev eth0 nodad\n", "", true)]
    [InlineData("ip addr add 10.77.0.2/24 dev eth0\n", "--dual-stack", false)]
    [InlineData("", "", true)]
    public void Plan_Pod_HasTheFamiliesThatIstioRedirects(string addresses, string flags, bool ipv6)
    {
        (int code, string output, string error) = Run($"{Pod}{addresses}\"$0\" plan -b '*' -i '*' {flags}");
        code.ShouldBe(0, error);
        output.ShouldStartWith(ipv6 ? "Families: IPv4 and IPv6." : "Families: IPv4 only.");
        error.Contains(Note, StringComparison.Ordinal).ShouldBe(!ipv6 && addresses.Contains("fd77", StringComparison.Ordinal), error);
    }

    [Theory]
    [InlineData(Both, "--ipv6 off", "IPv6 is switched off in the options")]
    [InlineData(Both, "", "IPv6 is left alone: the pod's first address is not of it, and dual stack not asked for")]
    [InlineData("ip addr add 10.77.0.2/24 dev eth0\n", "--dual-stack", "IPv6 is left alone: the pod has no address of it")]
    public void Apply_Ipv6LeftAlone_RulesAndExplainSayWhoDecidedThat(string addresses, string flags, string why)
    {
        (int code, string output, string error) = Run($"""
            {Pod}{addresses}
            "$0" -b '*' -i '*' --verify off {flags} || exit 10
            nft list table inet meshl4 | grep "{why}" || exit 11
            "$0" diff -b '*' -i '*' {flags} || exit 12
            "$0" explain -i '*' {flags} --out --proto tcp --src fd77::2 --dst '[2001:db8::1]:80' --uid 1000 | grep "{why}" || exit 13
            """);
        code.ShouldBe(0, error + output);
    }

    [Fact]
    public void Apply_PodOfBothFamilies_LeavesIpv6AloneAndSaysSoAndWhatCapturesIt()
    {
        (int code, string output, string error) = Run($$"""
            {{Pod}}{{Both}}
            "$0" $flags || exit 10
            "$0" diff $flags || exit 11
            "$0" $flags --dual-stack || exit 12
            # What was put on lo for it, and what a verification that was killed left, is no address of the pod's.
            ip addr add 192.0.2.130/32 dev lo; ip addr del 10.77.0.2/24 dev eth0
            "$0" diff $flags || exit 13
            """);
        code.ShouldBe(0, error + output);
        // By apply and by diff, which would be hard to understand without.
        error.Split('\n').Count(l => l.Contains(Note, StringComparison.Ordinal)).ShouldBe(2, error);
        error.ShouldContain("(fd77::2 pass the proxy by); --dual-stack or --ipv6 on captures it");
        output.ShouldContain(", 0 broken, 0 not provable here");
    }

    [Fact]
    public void Apply_AgainInANamespaceWithoutAddresses_DecidesTheSame()
    {
        (int code, _, string error) = Run("""
            "$0" $flags || exit 10
            ip -6 -o addr show dev lo | grep -q '::6/128' || exit 11
            "$0" diff $flags || exit 12
            ip addr add 192.0.2.130/32 dev lo
            "$0" diff $flags || exit 13
            """);
        code.ShouldBe(0, error);
    }
}
