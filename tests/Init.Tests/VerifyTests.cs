using System.Diagnostics;
using System.Text.Json;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests;

/// <summary>Verification with real packets, in network namespaces of its own. Root only.</summary>
public class VerifyTests
{
    /// <summary>What a script can use: the program, its flags, a state of the namespace to compare, a rule to be deleted by its reason.</summary>
    private const string Prelude = """
        set -f
        flags="-b * -d 15090,15021 -i * -o 22,5432-5440 -x 10.0.0.0/8,2001:db8:ffff::/48 -c net1,tap+"
        ip link set lo up
        state() { ip -j addr | sed 's/"\(ifindex\|link_index\)":[0-9]*//g'; ip -j rule; ip -j -6 rule; ip -j route show table all; ip -j -6 route show table all; }
        delete() { nft delete rule inet meshl4 $1 handle $(nft -a list chain inet meshl4 $1 | sed -n "/$2/{s/.*# handle //p;q}"); }

        """;

    private static readonly string Init = Path.Combine(AppContext.BaseDirectory, "meshl4-init");

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
    [InlineData("")]
    [InlineData("--force-iptables-binary nft")]
    [InlineData("--force-iptables-binary legacy")]
    [InlineData("--ipv6 off")]
    public void Verify_GoodRules_AllHoldAndNothingIsLeft(string more)
    {
        (int code, JsonElement report, string error) = Verify($"before=$(state); \"$0\" $flags {more} || exit 10; [ \"$before\" = \"$(state)\" ] || exit 11", $"$flags {more}",
            "[ \"$before\" = \"$(state)\" ] || exit 12");
        code.ShouldBe(0, error);
        Named(report, "broken").ShouldBeEmpty();
        Named(report, "notProvable").ShouldBeEmpty();
        Named(report, "held").Count.ShouldBeGreaterThan(8);
    }

    [Theory]
    [MemberData(nameof(Sabotages))]
    public void Verify_RuleDeleted_ItsPromiseIsBrokenAndNoOther(string chain, string reason, string promise)
    {
        (int code, JsonElement report, string error) = Verify($"\"$0\" $flags --verify=off || exit 10; delete {chain} '{reason}' || exit 11", "$flags", "");
        code.ShouldBe(126, error);
        Named(report, "broken").ShouldBe([promise]);
        Named(report, "notProvable").ShouldBeEmpty();
    }

    [Fact]
    public void Verify_Ipv6CapturedThoughSwitchedOff_IsBroken()
    {
        (int code, JsonElement report, string error) = Verify(
            "\"$0\" $flags --ipv6 off --verify=off; delete output 'IPv6 is switched off'; delete prerouting 'IPv6 is switched off'", "$flags --ipv6 off", "");
        code.ShouldBe(126, error);
        Named(report, "broken").ShouldBe([Promises.Ipv6LeftAlone]);
    }

    [Theory]
    [InlineData("nft insert rule inet meshl4 output meta skuid 1337 tcp dport 80 redirect to :15001", Promises.ProxyNotLooped)]
    [InlineData("nft insert rule inet meshl4 prerouting tcp dport 15090 redirect to :15006", Promises.InboundLeftAlone)]
    [InlineData("nft insert rule inet meshl4 prerouting iifname ml4near tcp dport 15002 redirect to :15001", Promises.InboundCaptured)]
    [InlineData("nft insert rule inet meshl4 output udp dport 53 redirect to :15053", Promises.DnsLeftAlone)]
    [InlineData("nft insert rule inet meshl4 output ip daddr 127.0.0.1 tcp dport 15003 redirect to :15001", Promises.Loopback)]
    public void Verify_RuleAddedByHand_ItsPromiseIsBrokenAndNoOther(string sabotage, string promise)
    {
        (int code, JsonElement report, string error) = Verify($"\"$0\" $flags --verify=off || exit 10; {sabotage} || exit 11", "$flags --probe-timeout 2s", "");
        code.ShouldBe(126, error);
        Named(report, "broken").ShouldBe([promise]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--force-iptables-binary nft")]
    [InlineData("--force-iptables-binary legacy")]
    public void Apply_RulesThatDoNotHold_EarlierOnesComeBack(string more)
    {
        // Somebody else's rule that comes before ours takes the application's connections elsewhere.
        string script = $$"""
            rules() { nft -s list table inet meshl4; iptables-nft-save; iptables-legacy-save; } 2>/dev/null
            list() { rules | grep -i meshl4 | sed 's/\[.*\]//'; }
            nft 'add table ip other; add chain ip other c { type nat hook output priority -150; }; add rule ip other c tcp dport 8080 redirect to :9'
            "$0" -b 80 -i 11.0.0.0/8 -q 7777 {{more}} || exit 10
            before=$(list); [ -n "$before" ] || exit 11
            "$0" $flags {{more}} -o 80 --probe-timeout 1s; [ $? = 126 ] || exit 12
            [ "$before" = "$(list)" ] || exit 13
            "$0" diff -b 80 -i 11.0.0.0/8 -q 7777 {{more}} || exit 14
            "$0" cleanup; "$0" $flags {{more}} -o 80 --probe-timeout 1s; [ $? = 126 ] || exit 15
            [ -z "$(list)" ] || exit 16
            """;
        (int code, _, string error) = Run(script);
        code.ShouldBe(0, error);
    }

    [Fact]
    public void Verify_WithoutSetuid_ProxysChecksAreNotProvableAndStrictFails()
    {
        const string Drop = "setpriv --bounding-set -setuid,-setgid --inh-caps -setuid,-setgid";
        string script = $$"""
            {{Drop}} "$0" $flags || exit 10
            {{Drop}} "$0" verify $flags > /dev/null || exit 11
            {{Drop}} "$0" verify $flags --verify=strict > /dev/null; [ $? = 126 ] || exit 12
            "$0" cleanup; {{Drop}} "$0" $flags --verify=strict; [ $? = 126 ] || exit 13
            [ -z "$(nft list ruleset)" ] || exit 14
            {{Drop}} "$0" $flags --verify=off || exit 15
            {{Drop}} "$0" verify $flags
            """;
        (int code, string output, string error) = Run(script);
        code.ShouldBe(0, error + output);
        output.ShouldContain($"not provable here {Promises.ProxyNotLooped} (IPv4, 2 packets): cannot send as 1337:0: setresuid: Operation not permitted (errno 1); CAP_SETUID is missing");
        output.ShouldContain("CAP_SETGID is missing");
        output.ShouldContain($"held              {Promises.OutboundCaptured} (IPv4)");
    }

    [Theory]
    [InlineData("net_admin", "CAP_NET_ADMIN is missing")]
    [InlineData("net_raw", "CAP_NET_RAW is missing")]
    public void Verify_WithoutCapability_SaysWhich(string capability, string reason)
    {
        (int code, string output, string error) = Run($"\"$0\" $flags --verify=off; setpriv --bounding-set -{capability} --inh-caps -{capability} \"$0\" verify $flags");
        code.ShouldBe(0, error + output);
        output.ShouldContain($"not provable here {Promises.OutboundCaptured} (IPv4): ");
        output.ShouldContain(reason);
        output.ShouldContain($"held              {Promises.SelfCall} (IPv4)");
    }

    [Fact]
    public void Verify_Ipv6OffInKernel_IsNotProvableAndNoFailure()
    {
        (int code, JsonElement report, string error) = Verify(
            "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; \"$0\" $flags --ipv6 on || exit 10", "$flags --ipv6 on", "");
        code.ShouldBe(0, error);
        Named(report, "broken").ShouldBeEmpty();
        report.GetProperty("checks").EnumerateArray().Where(c => c.GetProperty("family").GetString() == "ipv6")
            .ShouldAllBe(c => c.GetProperty("outcome").GetString() == "notProvable" && c.GetProperty("reasons")[0].GetString() == "IPv6 is off here");
        report.GetProperty("checks").EnumerateArray().Where(c => c.GetProperty("family").GetString() == "ipv4")
            .ShouldAllBe(c => c.GetProperty("outcome").GetString() == "held");
    }

    [Fact]
    public void Verify_ExcludedInterfaceExists_NoPacketLeavesByIt()
    {
        (int code, JsonElement report, string error) = Verify("ip link add net1 type veth peer name net1peer; \"$0\" $flags || exit 10", "$flags",
            "[ \"$(ip -s -j link show net1 | grep -o '\"tx\":{\"bytes\":[0-9]*')\" = '\"tx\":{\"bytes\":0' ] || exit 11");
        code.ShouldBe(0, error);
        Named(report, "notProvable").ShouldBe([Promises.InterfacesExcluded]);
    }

    [Theory]
    [InlineData("KILL", 137)]
    [InlineData("TERM", 6)]
    public void Verify_EndedBySignal_LeavesNothingAfterTheNextRun(string signal, int expected)
    {
        string script = $$"""
            before=$(state)
            "$0" $flags --verify=off
            nft insert rule inet meshl4 output tcp dport 80 drop
            "$0" verify $flags > /dev/null 2>&1 & verify=$!
            for i in $(seq 500); do ip link show ml4near > /dev/null 2>&1 && break; sleep 0.01; done
            kill -{{signal}} $verify; wait $verify; [ $? = {{expected}} ] || exit 10
            [ {{signal}} = KILL ] || [ "$before" = "$(state)" ] || exit 11
            delete output drop
            "$0" verify $flags --verify=strict || exit 12
            [ "$before" = "$(state)" ] || exit 13
            """;
        (int code, string output, string error) = Run(script);
        code.ShouldBe(0, error + output);
    }

    [Fact]
    public void Verify_ProxyRuns_ShowsCaptureByTheKernelsListAndLeavesItAlone()
    {
        string script = $$"""
            "$0" $flags --verify=off || exit 10
            setpriv --reuid 1337 --regid 1337 --clear-groups socat TCP6-LISTEN:15001,fork,ipv6only=0 EXEC:true & a=$!
            setpriv --reuid 1337 --regid 1337 --clear-groups socat -d -d TCP6-LISTEN:15006,fork,ipv6only=0 EXEC:true 2> /tmp/$$.proxy & b=$!
            for i in $(seq 500); do [ "$(ss -Htln 'sport = 15001 or sport = 15006' | wc -l)" = 2 ] && break; sleep 0.01; done
            "$0" verify $flags; code=$?
            # The self-call is a connection like any other; the injected ones must not get that far.
            grep -c 'accepting connection from .*192.0.2.77' /tmp/$$.proxy; grep -c 'accepting connection from .*6d6c:*4d' /tmp/$$.proxy
            rm /tmp/$$.proxy; kill $a $b; exit $code
            """;
        (int code, string output, string error) = Run(script);
        code.ShouldBe(0, error + output);
        foreach (string promise in new[] { Promises.OutboundCaptured, Promises.InboundCaptured, Promises.SelfCall })
        {
            output.ShouldContain($"held              {promise} (IPv4)");
            output.ShouldContain($"held              {promise} (IPv6)");
        }

        output.ShouldEndWith("0 broken, 0 not provable here\n0\n0\n");
    }

    [Theory]
    [InlineData("true", "broken            outbound connections of applications are captured (IPv6)")]
    [InlineData("\"$0\" $flags --verify=off", "0 broken, 0 not provable here")]
    [InlineData("\"$0\" $flags --verify=off; echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding", "0 broken, 0 not provable here")]
    [InlineData("\"$0\" $flags --verify=off; for i in all default; do echo 1 > /proc/sys/net/ipv4/conf/$i/rp_filter; done", "0 broken, 0 not provable here")]
    public void Verify_PodWithADefaultRoute_NoPacketLeavesByIt(string prepare, string expected)
    {
        string script = $$"""
            ip link add eth0 type veth peer name peer; ip link set peer up; ip link set eth0 up
            ip addr add 10.77.0.2/24 dev eth0; ip addr add fd77::2/64 dev eth0 nodad
            ip neigh add 10.77.0.1 lladdr 02:00:00:00:00:01 dev eth0; ip neigh add fd77::1 lladdr 02:00:00:00:00:01 dev eth0
            ip route add default via 10.77.0.1; ip -6 route add default via fd77::1
            {{prepare}}
            nft 'add table netdev guard; add chain netdev guard out { type filter hook egress device eth0 priority 0; }; add rule netdev guard out meta l4proto { tcp, udp } counter'
            left() { nft list table netdev guard | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p'; }
            "$0" verify $flags
            [ "$(left)" = 0 ] || exit 10
            # The guard does see what leaves.
            socat -u OPEN:/proc/version UDP:203.0.113.1:9; [ "$(left)" = 1 ] || exit 11
            """;
        (int code, string output, string error) = Run(script);
        code.ShouldBe(0, error + output);
        output.ShouldContain(expected);
    }

    [Fact]
    public void Verify_DryRun_SaysWhatItWouldSendAndSendsNothing()
    {
        (int code, string output, string error) = Run("\"$0\" verify --dry-run $flags -z 7");
        code.ShouldBe(0, error);
        output.ShouldStartWith("meshl4-init: would send ");
        output.ShouldContain($"{Promises.InboundCaptured}: tcp to 192.0.2.130:15002 from outside by ml4near: must arrive at port 7\n");
    }

    [Fact]
    public void Validation_AsProxyWithoutCapabilities_ShowsTheSelfCall()
    {
        const string Proxy = "setpriv --reuid 1337 --regid 1337 --clear-groups --bounding-set -all --inh-caps -all";
        string script = $$"""
            dir=$(mktemp -d); chmod 755 $dir; cp -r "$(dirname "$0")"/. $dir; trap 'rm -rf $dir' EXIT
            {{Proxy}} $dir/meshl4-init $flags --run-validation --skip-rule-apply --probe-timeout 1s > /dev/null; [ $? = 126 ] || exit 10
            "$0" $flags --verify=off || exit 11
            {{Proxy}} $dir/meshl4-init $flags --run-validation --skip-rule-apply --iptables-probe-port 15777
            """;
        (int code, string output, string error) = Run(script);
        code.ShouldBe(0, error + output);
        output.ShouldContain($"held              {Promises.SelfCall} (IPv4)");
        output.ShouldContain($"held              {Promises.Passthrough} (IPv4)");
        output.ShouldContain("0 broken");
    }

    private static List<string> Named(JsonElement report, string outcome) =>
        [.. report.GetProperty("checks").EnumerateArray().Where(c => c.GetProperty("outcome").GetString() == outcome)
            .Select(c => c.GetProperty("promise").GetString()!).Distinct()];

    private static (int Code, JsonElement Report, string Error) Verify(string before, string flags, string after)
    {
        (int code, string output, string error) = Run(
            $"{{ {before}\n}} >&2\n\"$0\" verify --format json {flags}; code=$?\n{after}\nexit $code");
        int start = output.IndexOf('{', StringComparison.Ordinal);
        start.ShouldBeGreaterThanOrEqualTo(0, $"{code} {output} {error}");
        return (code, JsonDocument.Parse(output[start..]).RootElement, error);
    }

    private static (int Code, string Output, string Error) Run(string script)
    {
        var start = new ProcessStartInfo("unshare", ["-n", "sh", "-c", Prelude + script, Init]) { RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error);
    }
}
