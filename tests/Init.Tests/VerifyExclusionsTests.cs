using System.Text.Json;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>Promises that only some options make: held by the rules as they were applied, and broken, alone, once the rule is gone or another
/// one is in its way.</summary>
public class VerifyExclusionsTests
{
    // delete CHAIN REASON, of the rules that have these words too.
    private const string DeleteSuch = "such() { nft delete rule inet meshl4 $1 handle $(nft -a list chain inet meshl4 $1 | grep \"$2\" | sed -n \"/$3/{s/.*# handle //p;q}\"); }; such ";

    private const string Udp = "-m TRANSPARENT --capture-udp 5000-5010";

    /// <summary>Options, what is done to the rules, the promise that it breaks.</summary>
    public static TheoryData<string, string, string> Sabotages => new()
    {
        { "--istio-outbound-owner-groups-exclude 202,888", "delete output 'processes of these groups are excluded'", Promises.GroupsLeftAlone },
        { "--istio-outbound-owner-groups 1,202", "delete output 'only processes of these groups'", Promises.GroupsLeftAlone },
        { "--istio-outbound-owner-groups 1,202", "nft insert rule inet meshl4 output meta skgid 202 return", Promises.GroupsCaptured },
        { "--exclude-outbound-ports-for-uids tcp,udp:23:2000-2005", "delete output 'ports excluded for these users'", Promises.UsersExcluded },
        { "--exclude-outbound-ports-for-uids tcp:23:2000-2005", "nft insert rule inet meshl4 output meta skuid 2005 tcp dport 23 redirect to :15001", Promises.UsersExcluded },
        { "--exclude-outbound-ports-for-uids tcp:23:2000-2005", "nft insert rule inet meshl4 output tcp dport 23 return", Promises.OtherUsersCaptured },
        { "--subnets-to-ignore 10.9.0.0/16,fd09::/16", "delete prerouting 'sources excluded by request'", Promises.SourcesExcluded },
        { "-k tap7", "delete prerouting 'what is behind this interface goes out'", Promises.VirtualCaptured },
        { "-m TPROXY -k tap7", "delete prerouting 'what is behind this interface goes out'", Promises.VirtualCaptured },
        { "--drop-invalid", "delete mangle_prerouting 'packets of no connection'", Promises.InvalidDropped },
        { "-m TPROXY --drop-invalid", "delete mangle_prerouting 'packets of no connection'", Promises.InvalidDropped },
        { Udp, "delete mangle_output 'outbound UDP asked for'", Promises.UdpCaptured },
        { Udp, "delete mangle_prerouting 'inbound UDP asked for'", Promises.UdpCaptured },
        { Udp, "nft insert rule inet meshl4 mangle_output udp dport 80 meta mark set 1339 accept", Promises.UdpLeftAlone },
        { "-m TRANSPARENT --subnets-to-ignore 10.9.0.0/16,fd09::/16", "delete mangle_prerouting 'sources excluded by request'", Promises.SourcesExcluded },
        { "-m TRANSPARENT --capture-udp *", DeleteSuch + "mangle_prerouting 'udp dport' 'inbound ports excluded'", Promises.UdpLeftAlone },
        { "--istio-outbound-ipv4-loopback-cidr 127.0.0.0/8", "nft insert rule inet meshl4 output ip daddr 127.0.0.2 meta skuid 1337 tcp dport 15003 redirect to :15006", Promises.ProxyToLoopback },
        { "-m TPROXY", DeleteSuch + "mangle_output 'skgid 1337' 'called its own service'", Promises.SelfCall },
        { "-m TRANSPARENT -k tap7", "nft insert rule inet meshl4 mangle_prerouting iifname tap7 return", Promises.VirtualCaptured },
    };

    [Theory]
    [MemberData(nameof(Sabotages))]
    public void Verify_BeforeAndAfterSabotage_HoldsAndThenBreaksThatPromiseOnly(string flags, string sabotage, string promise)
    {
        (int code, JsonElement report, string error) = Verify($"\"$0\" $flags {flags} --verify=off || exit 10", $"$flags {flags}", "");
        code.ShouldBe(0, error + report.GetRawText());
        Named(report, "broken").ShouldBeEmpty();
        Named(report, "notProvable").ShouldBeEmpty(report.GetRawText());
        Named(report, "held").ShouldContain(promise);

        (code, report, error) = Verify($"\"$0\" $flags {flags} --verify=off || exit 10; {sabotage} || exit 11", $"$flags {flags} --probe-timeout 1s", "");
        code.ShouldBe(126, error + report.GetRawText());
        Named(report, "broken").ShouldBe([promise], report.GetRawText());
        Named(report, "notProvable").ShouldBeEmpty(report.GetRawText());
    }

    [Theory]
    [InlineData("nft")]
    [InlineData("legacy")]
    public void Verify_IptablesRules_HoldTheSamePromises(string kind)
    {
        string flags = $"--force-iptables-binary {kind} --istio-outbound-owner-groups 1,202 --exclude-outbound-ports-for-uids tcp,udp:23:2000-2005 "
            + "--subnets-to-ignore 10.9.0.0/16,fd09::/16 -k tap7 --drop-invalid";
        (int code, JsonElement report, string error) = Verify($"\"$0\" $flags {flags} --verify=off || exit 10", $"$flags {flags}", "");
        code.ShouldBe(0, error + report.GetRawText());
        Named(report, "broken").ShouldBeEmpty();
        Named(report, "notProvable").ShouldBeEmpty(report.GetRawText());
        Named(report, "held").ShouldContain(Promises.InvalidDropped);
        Named(report, "held").ShouldContain(Promises.OtherUsersCaptured);
    }

    [Theory]
    [InlineData("nft")]
    [InlineData("legacy")]
    public void Verify_IptablesRuleAgainstInvalidSegmentsDeleted_IsBroken(string kind)
    {
        string flags = $"--force-iptables-binary {kind} --drop-invalid --ipv6 off";
        string rule = $"$(iptables-{kind} -t mangle -S | grep INVALID | sed 's/^-A//')";
        (int code, JsonElement report, string error) = Verify(
            $"\"$0\" $flags4 {flags} --verify=off || exit 10; eval \"iptables-{kind} -t mangle -D {rule}\" || exit 11", $"$flags4 {flags}", "");
        code.ShouldBe(126, error + report.GetRawText());
        Named(report, "broken").ShouldBe([Promises.InvalidDropped], report.GetRawText());
        report.GetRawText().ShouldContain("invalid tcp to 192.0.2.130:15002 from 192.0.2.77 by ml4near: must be dropped, but was refused");
    }

    // On several processors a later segment could be answered before an earlier one has been looked at, which would pass for dropped.
    [Fact]
    public void Verify_InboundSegments_AreGivenToTheKernelByOneProcessor()
    {
        (int code, string output, string error) = Run("""
            d=$(mktemp -d)
            "$0" $flags --drop-invalid --verify=off || exit 10
            strace -qq -o $d/trace -e trace=sched_setaffinity,sendto "$0" verify $flags --drop-invalid || exit 11
            awk '/^sched_setaffinity/ { n++ } n == 1 && /^sendto/ { sent++ } END { exit !(n == 2 && sent > 4) }' $d/trace; code=$?
            [ $code = 0 ] || cat $d/trace
            rm -r $d; exit $code
            """);
        code.ShouldBe(0, error + output);
    }

    [Fact]
    public void Verify_NothingThatComesInIsAnswered_DroppingIsNotProvable()
    {
        (int code, JsonElement report, string error) = Verify(
            "\"$0\" $flags --drop-invalid --verify=off || exit 10; nft 'add chain inet meshl4 foreign { type filter hook input priority 0; }; add rule inet meshl4 foreign iifname ml4near drop' || exit 11",
            "$flags --drop-invalid --probe-timeout 1s", "");
        code.ShouldBe(126, error + report.GetRawText());
        Named(report, "notProvable").ShouldBe([Promises.InvalidDropped]);
    }
}
