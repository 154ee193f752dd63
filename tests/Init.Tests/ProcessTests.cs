using System.Diagnostics;
using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests;

/// <summary>The program itself, in network namespaces of its own. Root only.</summary>
public class ProcessTests
{
    private static readonly string Init = Path.Combine(AppContext.BaseDirectory, "meshl4-init");

    [Fact]
    public void Process_ApplyDiffCleanup_EndsAsDocumented()
    {
        const string Script = """
            set -f
            j=$(mktemp); trap 'rm -f "$j"' EXIT
            "$0" -b * -i * || exit 10
            "$0" diff -b * -i * || exit 11
            "$0" diff -b 80 -i * >/dev/null; [ $? = 1 ] || exit 12
            "$0" diff -b * -i * --format json | grep -q '"same": true' || exit 18
            "$0" diff -b 80 -i * --format json > "$j"; [ $? = 1 ] || exit 19
            grep -q '"same": false' "$j" && grep -q 'tcp dport 80' "$j" || exit 20
            "$0" apply -b * -i * | grep -q 'nothing written' || exit 13
            "$0" --cleanup-only || exit 14
            [ -z "$(nft list ruleset)" ] || exit 15
            "$0" cleanup || exit 16
            [ -z "$(nft list ruleset)" ] || exit 17
            """;
        Run("unshare", "-n", "sh", "-c", Script, Init).Code.ShouldBe(0);
    }

    [Fact]
    public void Process_CleanupThatMayNotLook_IsAnErrorAndNotNothingToRemove()
    {
        const string Script = """
            set -f
            "$0" -b * -i * --verify off || exit 10
            setpriv --inh-caps=-all --bounding-set=-all "$0" cleanup; [ $? = 3 ] || exit 11
            [ -n "$(nft list ruleset)" ] || exit 12
            """;
        Run("unshare", "-n", "sh", "-c", Script, Init).Code.ShouldBe(0);
    }

    [Fact]
    public void Process_NetworkNamespaceAndForceApply_WorkInThatNamespaceOnly()
    {
        const string Script = """
            set -f
            d=$(mktemp -d); touch "$d/ns"; trap 'umount "$d/ns"; rm -rf "$d"' EXIT
            unshare --net="$d/ns" true || exit 10
            "$0" --network-namespace "$d/ns" -b 80 --verify off | grep -q 'applied with' || exit 11
            [ -z "$(nft list ruleset)" ] || exit 12
            nsenter --net="$d/ns" nft list ruleset | grep -q 'tcp dport 80' || exit 13
            NETWORK_NAMESPACE="$d/ns" "$0" diff -b 80 || exit 14
            "$0" diff -b 80 >/dev/null; [ $? = 1 ] || exit 15
            "$0" --network-namespace "$d/ns" -b 80 --verify off | grep -q 'nothing written' || exit 16
            "$0" --network-namespace "$d/ns" -b 80 --verify off --force-apply | grep -q 'applied with' || exit 17
            "$0" --network-namespace /proc/self/ns/mnt -b 80; [ $? = 5 ] || exit 18
            "$0" --network-namespace "$d/nowhere" -b 80 2> "$d/error"; [ $? = 2 ] || exit 19
            grep -q "network-namespace '$d/nowhere'" "$d/error" || exit 20
            """;
        Run("unshare", "-n", "sh", "-c", Script, Init).Code.ShouldBe(0);
    }

    [Fact]
    public void Process_Tproxy_ReadsItsRoutesBackAndCleansThemUp()
    {
        const string Script = """
            set -f
            ip link set lo up
            "$0" -m TPROXY -b * --verify off || exit 10
            "$0" diff -m TPROXY -b * || exit 11
            "$0" -m TPROXY -b * --verify off | grep -q 'nothing written' || exit 12
            "$0" cleanup || exit 13
            [ -z "$(ip route show table 133; ip -6 route show table 133; ip rule | grep 133)" ] || exit 14
            """;
        Run("unshare", "-n", "sh", "-c", Script, Init).Code.ShouldBe(0);
    }

    [Fact]
    public void Process_WithoutNetAdmin_SaysSoAndExitsThree()
    {
        (int code, string error) = Run("unshare", "-n", "setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", Init, "-b", "*");
        code.ShouldBe(3);
        error.ShouldContain("CAP_NET_ADMIN");
    }

    [Fact]
    public void Process_BadValue_LeavesNamespaceEmpty() =>
        Run("unshare", "-n", "sh", "-c", "\"$0\" -b 70000 -i 10.0.0.0/8; [ $? = 2 ] && [ -z \"$(nft list ruleset)\" ]", Init).Code.ShouldBe(0);

    [Fact]
    public void Process_NftMissing_FallsBackToIptables()
    {
        const string Script = """
            d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
            for p in iptables-nft-save iptables-nft-restore ip6tables-nft-save ip6tables-nft-restore; do ln -s "$(command -v $p)" "$d/$p"; done
            PATH=$d "$0" -b 80 || exit 10
            iptables-nft-save | grep -q -- '-A MESHL4_PREROUTING -p tcp -m tcp --dport 80 ' || exit 11
            PATH=$d "$0" -b 80 --native-nftables; [ $? = 4 ] || exit 12
            PATH=/nowhere "$0" -b 80; [ $? = 4 ] || exit 13
            """;
        Run("unshare", "-n", "sh", "-c", Script, Init).Code.ShouldBe(0);
    }

    [Fact]
    public void Process_Ip6tablesFails_Ipv4IsTakenBack()
    {
        const string Script = """
            d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
            for p in iptables-nft-save iptables-nft-restore ip6tables-nft-save cat; do ln -s "$(command -v $p)" "$d/$p"; done
            printf '#!/bin/sh\ncat >/dev/null; echo no such table >&2; exit 1\n' > "$d/ip6tables-nft-restore"; chmod +x "$d/ip6tables-nft-restore"
            PATH=$d "$0" -b 80; [ $? = 5 ] || exit 10
            iptables-nft-save | grep -q MESHL4_ && exit 11
            exit 0
            """;
        Run("unshare", "-n", "sh", "-c", Script, Init).Code.ShouldBe(0);
    }

    [Fact]
    public void Process_NftRefuses_EarlierRulesStayAndExitIsFive()
    {
        const string Script = """
            d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
            real=$(command -v nft)
            printf '#!/bin/sh\n[ "$1" = -f ] || exec %s "$@"\n(/bin/cat; echo add rule inet nowhere c drop) | exec %s "$@"\n' "$real" "$real" > "$d/nft"; chmod +x "$d/nft"
            "$0" -b 80 || exit 10
            before=$(nft -a list ruleset)
            PATH=$d "$0" -b 81; [ $? = 5 ] || exit 11
            [ "$(nft -a list ruleset)" = "$before" ] || exit 12
            """;
        Run("unshare", "-n", "sh", "-c", Script, Init).Code.ShouldBe(0);
    }

    private static (int Code, string Error) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, error + output.Result);
    }
}
