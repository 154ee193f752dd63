using System.Text.Json;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>What cannot be shown, and why.</summary>
public class VerifyLimitsTests
{
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
        output.ShouldContain($"not provable here {Promises.ProxyNotLooped} (IPv4, 4 packets): cannot send as 1337:0: setresuid: Operation not permitted (errno 1); CAP_SETUID is missing");
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

    // Datagrams to a port that is left alone are seen by a listener there alone, connections by their refusal too.
    [Fact]
    public void Apply_PortOfDatagramsCannotBeBound_IsNotProvableAndNoFailure()
    {
        const string Drop = "setpriv --bounding-set -net_bind_service --inh-caps -net_bind_service";
        const string Flags = "-m TRANSPARENT -b * -d 22 -i * --capture-udp * --probe-timeout 1s";
        (int code, string output, string error) = Run($"{Drop} \"$0\" {Flags} || exit 10; {Drop} \"$0\" verify {Flags}");
        code.ShouldBe(0, error + output);
        output.ShouldContain($"not provable here {Promises.UdpLeftAlone} (IPv4): cannot listen on port 22: Permission denied");
        output.ShouldContain($"held              {Promises.InboundLeftAlone} (IPv4");
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
    public void Verify_UserNamespaceWithoutTheProxysId_IsNotProvable()
    {
        (int code, string output, string error) = Run("unshare -Urn sh -c 'set -f; ip link set lo up; $0 $* --verify=off && $0 verify $*' \"$0\" -b \"*\" -i \"*\"");
        code.ShouldBe(0, error);
        output.ShouldContain($"held              {Promises.OutboundCaptured} (IPv4)\n");
        output.ShouldContain($"not provable here {Promises.SelfCall} (IPv4): cannot send as 1337:0: setresuid: Invalid argument (errno 22); this user namespace has no such id\n");
    }

    [Theory]
    [InlineData("exit 2", "ip: no such thing", Promises.OutboundCaptured, false)]
    [InlineData("[ $1 != -6 ] || { echo no such thing >&2; exit 2; }; exec $real \"$@\"", "ip: no such thing", Promises.OutboundCaptured, true)]
    public void Verify_IpProgramFails_IsNotProvableForWhatItWasNeededFor(string program, string reason, string promise, bool v4)
    {
        string script = $$"""
            d=$(mktemp -d); trap 'rm -rf $d' EXIT
            printf '%s\n' '#!/bin/sh' "real=$(command -v ip)" '[ "$1" = -6 ] || [ {{v4}} = True ] || echo no such thing >&2' '{{program}}' > $d/ip; chmod +x $d/ip
            "$0" $flags --verify=off || exit 10; before=$(state)
            PATH=$d:$PATH "$0" verify $flags || exit 11
            [ "$before" = "$(state)" ] || exit 12
            """;
        (int code, string output, string error) = Run(script);
        code.ShouldBe(0, error + output);
        output.ShouldContain(v4 ? $"held              {promise} (IPv4)\n" : $"not provable here {promise} (IPv4): {reason}\n");
        output.ShouldContain($"not provable here {promise} (IPv6): {reason}\n");
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
}
