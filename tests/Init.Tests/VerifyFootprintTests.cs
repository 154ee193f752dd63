using System.Text.Json;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>What a verification does to the pod around it: nothing.</summary>
public class VerifyFootprintTests
{
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
            "$0" $flags --verify=off
            before=$(state)
            nft insert rule inet meshl4 output tcp dport 80 drop
            "$0" verify $flags > /dev/null 2>&1 & verify=$!
            for i in $(seq 3000); do ip link show ml4near > /dev/null 2>&1 && break; sleep 0.01; done
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
    public void Cleanup_AfterAVerificationWasKilled_LeavesNothingOfIt()
    {
        (int code, string output, string error) = Run("""
            before=$(state)
            "$0" $flags --verify=off
            nft insert rule inet meshl4 output tcp dport 80 drop
            "$0" verify $flags > /dev/null 2>&1 & verify=$!
            for i in $(seq 3000); do ip rule | grep -q 31310 && break; sleep 0.01; done
            kill -KILL $verify; wait $verify
            ip link show ml4near > /dev/null || exit 10
            "$0" cleanup || exit 11
            [ "$before" = "$(state)" ] || exit 12
            """);
        code.ShouldBe(0, error + output);
    }

    [Fact]
    public void Explain_DestinationIsThePodItself_IsTheSelfCallThatTheKernelSees()
    {
        (int code, string output, string error) = Run("""
            ip addr add 10.9.9.9/32 dev lo
            "$0" explain -i '*' --uid 1337 --dst 10.9.9.9:80
            "$0" explain -i '*' --uid 1337 --dst 10.9.9.9:80 --interface eth0
            """);
        code.ShouldBe(0, error);
        output.ShouldContain("through lo as uid 1337");
        output.ShouldContain("verdict: to the proxy at 15006\n");
        output.ShouldEndWith("verdict: left alone\n");
    }

    [Fact]
    public void Verify_ProxyRuns_ShowsCaptureByTheKernelsListAndLeavesItAlone()
    {
        string script = $$"""
            "$0" $flags --verify=off || exit 10
            setpriv --reuid 1337 --regid 1337 --clear-groups socat TCP6-LISTEN:15001,fork,ipv6only=0 EXEC:true & a=$!
            setpriv --reuid 1337 --regid 1337 --clear-groups socat -d -d TCP6-LISTEN:15006,fork,ipv6only=0 EXEC:true 2> /tmp/$$.proxy & b=$!
            for i in $(seq 3000); do [ "$(ss -Htln 'sport = 15001 or sport = 15006' | wc -l)" = 2 ] && break; sleep 0.01; done
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
            flags="$flags --dual-stack"
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
        output.ShouldContain($"{Promises.InboundCaptured}: tcp to 192.0.2.130:15002 from 192.0.2.77 by ml4near: must arrive at port 7\n");
    }
}
