using System.Text.Json;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>Every promise held by good rules, and broken alone when its rule is gone.</summary>
public class VerifyTests
{
    public static TheoryData<string, string, string> Sabotages => new()
    {
        { "output", "all other outbound TCP", Promises.OutboundCaptured },
        { "output", "connections of the proxy itself", Promises.ProxyNotLooped },
        { "output", "processes in the group of the proxy", Promises.ProxyNotLooped },
        { "output", "outbound ports excluded", Promises.PortsExcluded },
        { "output", "destinations excluded", Promises.BlocksExcluded },
        { "output", "interface excluded", Promises.InterfacesExcluded },
        { "prerouting", "interface excluded", Promises.InterfacesExcluded },
        { "output", "the application called its own service", Promises.SelfCall },
        { "output", "the proxy hands inbound connections", Promises.Passthrough },
        { "output", "applications of the pod talk", Promises.Loopback },
        { "prerouting", "all other inbound TCP", Promises.InboundCaptured },
        { "prerouting", "inbound ports excluded", Promises.InboundLeftAlone },
        { "prerouting", "tunnelled traffic", Promises.InboundLeftAlone },
    };

    [Theory]
    [InlineData("$flags")]
    [InlineData("$flags --force-iptables-binary nft")]
    [InlineData("$flags --force-iptables-binary legacy")]
    [InlineData("$flags4 --ipv6 off")]
    public void Verify_GoodRules_AllHoldAndNothingIsLeft(string flags)
    {
        (int code, JsonElement report, string error) = Verify($"\"$0\" {flags} --verify=off || exit 9; before=$(state); \"$0\" {flags} --force-apply || exit 10; [ \"$before\" = \"$(state)\" ] || exit 11", flags,
            "[ \"$before\" = \"$(state)\" ] || exit 12");
        code.ShouldBe(0, error + report.GetRawText());
        Named(report, "broken").ShouldBeEmpty();
        Named(report, "notProvable").ShouldBeEmpty();
        Named(report, "held").Count.ShouldBeGreaterThan(8);
    }

    [Theory]
    [InlineData("REDIRECT")]
    [InlineData("TPROXY")]
    [InlineData("TRANSPARENT")]
    public void Verify_EveryMode_ThePassthroughIsShownInBothFamilies(string mode)
    {
        string script = $$"""
            "$0" $flags -m {{mode}} --verify=off || exit 10
            ip -6 -o addr show dev lo | grep -q 'inet6 ::6/128' || exit 11
            "$0" verify $flags -m {{mode}} || exit 12
            ip -6 addr del ::6/128 dev lo
            "$0" verify $flags -m {{mode}} > /dev/null || exit 13
            "$0" verify $flags -m {{mode}} --verify=strict; [ $? = 126 ] || exit 14
            "$0" diff $flags -m {{mode}} > /dev/null; [ $? = 1 ] || exit 15
            "$0" $flags -m {{mode}} --verify=strict || exit 16
            "$0" cleanup || exit 17
            ip -6 -o addr show dev lo | grep '::6/128' && exit 18
            exit 0
            """;
        (int code, string output, string error) = Run(script);
        code.ShouldBe(0, error + output);
        output.ShouldContain($"held              {Promises.Passthrough} (IPv4)");
        output.ShouldContain($"held              {Promises.Passthrough} (IPv6)");
        output.ShouldContain($"not provable here {Promises.Passthrough} (IPv6): ::6 cannot be used");
    }

    // Every connection of the second try would have the ports of one of the first, and go its way, were they the kernel's choice.
    [Fact]
    public void Verify_FewPortsToChooseFrom_OnlyWhatIsBrokenIsFoundBroken()
    {
        (int code, JsonElement report, string error) = Verify(
            "echo 40000 40031 > /proc/sys/net/ipv4/ip_local_port_range; \"$0\" $flags --verify=off || exit 10; delete output 'connections of the proxy itself' || exit 11; "
            + "for i in 1 2 3; do \"$0\" verify $flags > /dev/null; [ $? = 126 ] || exit 12; done", "$flags", "");
        code.ShouldBe(126, error + report.GetRawText());
        Named(report, "broken").ShouldBe([Promises.ProxyNotLooped], report.GetRawText());
        Named(report, "notProvable").ShouldBeEmpty(report.GetRawText());
    }

    [Theory]
    [MemberData(nameof(Sabotages))]
    public void Verify_RuleDeleted_ItsPromiseIsBrokenAndNoOther(string chain, string reason, string promise)
    {
        (int code, JsonElement report, string error) = Verify($"\"$0\" $flags --verify=off || exit 10; delete {chain} '{reason}' || exit 11", "$flags", "");
        code.ShouldBe(126, error + report.GetRawText());
        Named(report, "broken").ShouldBe([promise], report.GetRawText());
        Named(report, "notProvable").ShouldBeEmpty(report.GetRawText());
    }

    [Fact]
    public void Verify_Ipv6CapturedThoughSwitchedOff_IsBroken()
    {
        (int code, JsonElement report, string error) = Verify(
            "\"$0\" $flags4 --ipv6 off --verify=off; delete output 'IPv6 is switched off'; delete prerouting 'IPv6 is switched off'", "$flags4 --ipv6 off", "");
        code.ShouldBe(126, error + report.GetRawText());
        Named(report, "broken").ShouldBe([Promises.Ipv6LeftAlone], report.GetRawText());
    }

    [Theory]
    [InlineData("nft insert rule inet meshl4 output meta skuid 1337 tcp dport 80 redirect to :15001", Promises.ProxyNotLooped)]
    [InlineData("nft insert rule inet meshl4 prerouting tcp dport 15090 redirect to :15006", Promises.InboundLeftAlone)]
    [InlineData("nft insert rule inet meshl4 prerouting iifname ml4near tcp dport 15002 redirect to :15001", Promises.InboundCaptured)]
    [InlineData("nft insert rule inet meshl4 output meta skuid 0 meta skgid 0 udp dport 53 redirect to :15053", Promises.DnsLeftAlone)]
    [InlineData("nft insert rule inet meshl4 output ip daddr 127.0.0.1 meta skuid != 1337 tcp dport 15003 redirect to :15001", Promises.Loopback)]
    [InlineData("nft insert rule inet meshl4 output ip daddr 127.0.0.1 meta skuid 1337 tcp dport 15003 redirect to :15006", Promises.ProxyToLoopback)]
    public void Verify_RuleAddedByHand_ItsPromiseIsBrokenAndNoOther(string sabotage, string promise)
    {
        (int code, JsonElement report, string error) = Verify($"\"$0\" $flags --verify=off || exit 10; {sabotage} || exit 11", "$flags --probe-timeout 2s", "");
        code.ShouldBe(126, error + report.GetRawText());
        Named(report, "broken").ShouldBe([promise], report.GetRawText());
    }

    [Fact]
    public void Verify_ApplicationAtOneAddressOfAnExcludedPort_Holds()
    {
        (int code, JsonElement report, string error) = VerifyScript.Verify(
            "ip addr add 127.9.9.9/32 dev lo; socat TCP-LISTEN:15090,bind=127.9.9.9 EXEC:true & app=$!; for i in $(seq 3000); do ss -Htln 'sport = 15090' | grep -q . && break; sleep 0.02; done; \"$0\" apply --verify off $flags",
            "$flags",
            "kill $app");

        code.ShouldBe(0, report.GetRawText() + error);
        VerifyScript.Named(report, "broken").ShouldBeEmpty();
    }
}
