using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>What is in force when something fails in the middle, and what the program says about it. Programs that fail stand before
/// the real ones on the path. Root only.</summary>
public class ApplySafetyTests
{
    /// <summary>fake NAME 'shell condition': that program fails where the condition holds, and is the real one otherwise.</summary>
    private const string Fakes = """
        d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
        fake() { printf '#!/bin/sh\nif %s; then echo %s was made to fail >&2; exit 1; fi\nexec %s "$@"\n' "$2" "$1" "$(command -v $1)" > "$d/$1"; chmod +x "$d/$1"; }
        rules() { { nft -s list table inet meshl4; iptables-nft-save; iptables-legacy-save; } 2>/dev/null | grep -i meshl4 | sed 's/\[.*\]//'; }

        """;

    [Fact]
    public void Apply_RoutesFailBetweenTheFamilies_NothingStays() => Passes("""
        fake ip '[ "$*" = "-6 -batch -" ]'
        for verify in off on; do
            PATH=$d:$PATH "$0" -m TPROXY -b 80 --verify $verify --ipv6 on; [ $? = 5 ] || exit 10
            [ -z "$(ip route show table 133; ip rule | grep 133; rules)" ] || exit 11
        done
        """);

    [Fact]
    public void Apply_OldRoutesCannotBeRemoved_SaysThatNewRulesAreInForce() => Passes("""
        "$0" -m TPROXY -b 80 --verify off || exit 10
        fake ip '[ "$2" = -batch ]'
        PATH=$d:$PATH "$0" -b 81 --verify off 2>$d/e; [ $? = 7 ] || exit 11
        grep -q 'the new rules are in force' $d/e || exit 12
        nft list table inet meshl4 | grep -q 'dport 81' || exit 13
        """);

    [Fact]
    public void Apply_RollbackFails_SaysThatUnverifiedRulesAreInForce() => Passes("""
        nft 'add table ip other; add chain ip other c { type nat hook output priority -150; }; add rule ip other c tcp dport 8080 redirect to :9'
        "$0" -b 80 --verify off || exit 10
        printf '#!/bin/sh\nif [ "$1" = -f ]; then [ ! -e %s/written ] || { echo nft was made to fail >&2; exit 1; }; touch %s/written; fi\nexec %s "$@"\n' "$d" "$d" "$(command -v nft)" > "$d/nft"
        chmod +x "$d/nft"
        PATH=$d:$PATH "$0" $flags -o 80 --probe-timeout 1s 2>$d/e; [ $? = 7 ] || exit 11
        grep -q 'UNVERIFIED rules are in force' $d/e || exit 12
        grep -q 'in force again' $d/e && exit 13
        exit 0
        """);

    [Fact]
    public void Apply_RoutesCannotBeReadAtFirst_RollbackLeavesThemAlone() => Passes("""
        nft 'add table ip other; add chain ip other c { type nat hook output priority -150; }; add rule ip other c tcp dport 8080 redirect to :9'
        "$0" -m TPROXY -b 80 --verify off || exit 10
        routes() { ip route show table 133; ip rule; ip -6 route show table 133; ip -6 rule; }
        before=$(routes)
        # The first two readings fail: the one that remembers, and the one of a plan that needs no routes.
        printf '#!/bin/sh\n[ "$1" != -N ] || [ -e %s/2 ] || { [ -e %s/1 ] && touch %s/2; touch %s/1; echo ip was made to fail >&2; exit 1; }\nexec %s "$@"\n' "$d" "$d" "$d" "$d" "$(command -v ip)" > "$d/ip"
        chmod +x "$d/ip"
        PATH=$d:$PATH "$0" $flags -o 80 --probe-timeout 1s 2>$d/e; [ $? = 126 ] || exit 11
        [ -e $d/2 ] || exit 12
        [ "$before" = "$(routes)" ] || exit 13
        "$0" diff -m TPROXY -b 80 || exit 14
        """);

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    [InlineData("HUP")]
    [InlineData("QUIT")]
    public void Apply_SignalWhileRulesAreWritten_EarlierOnesComeBack(string signal) => Passes($"sig={signal}\n" + """
        "$0" -b 80 -q 7777 --verify off || exit 10
        before=$(nft -s list table inet meshl4)
        printf '#!/bin/sh\n[ "$1" != -f ] || [ -e %s/sent ] || { touch %s/sent; kill -%s $PPID; }\nexec %s "$@"\n' "$d" "$d" $sig "$(command -v nft)" > "$d/nft"
        chmod +x "$d/nft"
        # Whoever runs the tests in the background ignores INT and QUIT, and what ignores a signal hands that on.
        PATH=$d:$PATH env --default-signal="$sig" "$0" $flags 2>$d/e; [ $? = 6 ] || exit 11
        [ -e $d/sent ] || exit 12
        [ "$before" = "$(nft -s list table inet meshl4)" ] || exit 13
        grep -q 'a signal ended it' $d/e || exit 14
        """);

    [Fact]
    public void Apply_FailureThatNobodyExpectsAfterWriting_EarlierRulesComeBack() => Passes("""
        "$0" -b 80 -q 7777 --verify off || exit 10
        before=$(nft -s list table inet meshl4)
        "$0" $flags >/dev/full 2>$d/e; [ $? = 5 ] || exit 11
        [ "$before" = "$(nft -s list table inet meshl4)" ] || exit 12
        grep -q 'in force again' $d/e || exit 13
        """);

    [Fact]
    public void Run_FailureThatNobodyExpects_IsToldAndExitsFive()
    {
        using var error = new StringWriter();
        int code = Program.Run(["apply", "-b", "80", "--network-namespace", "/proc/self/ns/net"], _ => null, TextWriter.Null, error, _ => throw new InvalidOperationException("injected"));
        code.ShouldBe(5);
        error.ToString().ShouldContain("injected");
    }

    [Fact]
    public void ApplyAndCleanup_NftOnAKernelWithoutNfTables_UseTheOlderInterface() => Passes("""
        for p in nft iptables-nft-save ip6tables-nft-save; do fake $p true; done
        for verify in off on; do
            PATH=$d:$PATH "$0" -b 80 --verify $verify || exit 10
            iptables-legacy-save | grep -q 'dport 80 ' || exit 11
            PATH=$d:$PATH "$0" cleanup || exit 12
            iptables-legacy-save | grep -q MESHL4 && exit 13
        done
        exit 0
        """);

    [Theory]
    [InlineData("--force-iptables-binary legacy", "")]
    [InlineData("--force-iptables-binary legacy", "--force-iptables-binary nft")]
    [InlineData("--force-iptables-binary nft", "--force-iptables-binary legacy")]
    [InlineData("", "--force-iptables-binary legacy")]
    public void Apply_AfterAnotherBackend_OnlyOneHasRules(string earlier, string now) => Passes($$"""
        "$0" -b 80 --verify off {{earlier}} || exit 10
        "$0" -b 81 --verify off {{now}} || exit 11
        { nft list table inet meshl4; iptables-nft-save; ip6tables-nft-save; iptables-legacy-save; ip6tables-legacy-save; } 2>/dev/null | grep 'dport 80' && exit 12
        { nft list table inet meshl4; iptables-nft-save; iptables-legacy-save; } 2>/dev/null | grep -q 'dport 81' || exit 13
        """);

    // As many as the check of the options lets through; one more is an error before anything is written.
    [Fact]
    public void Apply_MostGroupsOfIptables_AreWrittenAndOneMoreIsRefused() => Passes("""
        most=$(seq -s , 1001 2 1095)
        for kind in nft legacy; do
            "$0" -i '*' --istio-outbound-owner-groups $most --force-iptables-binary $kind --verify off || exit 10
            "$0" diff -i '*' --istio-outbound-owner-groups $most --force-iptables-binary $kind || exit 11
            "$0" -i '*' --istio-outbound-owner-groups $most,7 --force-iptables-binary $kind --verify off 2>$d/e; [ $? = 2 ] || exit 12
        done
        fake nft true
        "$0" cleanup || exit 13
        PATH=$d:$PATH "$0" -i '*' --istio-outbound-owner-groups $most,7 --verify off 2>$d/e; [ $? = 5 ] || exit 14
        grep -q 'istio-outbound-owner-groups: iptables takes 48 groups at most, nft takes any number$' $d/e || { cat $d/e; exit 15; }
        [ -z "$(rules)" ] || exit 16
        for command in apply diff; do
            PATH=$d:$PATH "$0" $command -i '*' --istio-outbound-owner-groups $most,7 --verify off 2>$d/e; [ $? = 5 ] || exit 17
            grep -q 'nft was made to fail' $d/e || { cat $d/e; exit 18; }
        done
        mkdir $d/bin; for p in iptables ip6tables; do for v in save restore; do ln -s "$(command -v $p-legacy-$v)" $d/bin; done; done
        PATH=$d/bin "$0" -i '*' --istio-outbound-owner-groups $most,7 --verify off 2>$d/e; [ $? = 5 ] || exit 19
        grep -q 'nft is not installed' $d/e || { cat $d/e; exit 20; }
        "$0" plan --format iptables -i '*' --istio-outbound-owner-groups $most >$d/o || exit 21
        "$0" plan --format iptables -i '*' --istio-outbound-owner-groups $most,7 2>$d/e; [ $? = 2 ] || exit 22
        grep -q 'iptables takes 48 groups at most' $d/e || { cat $d/e; exit 23; }
        """);

    [Fact]
    public void Cleanup_OnlyPlainIptables_RemovesItsRules() => Passes("""
        for p in iptables ip6tables; do for v in save restore; do ln -s "$(command -v $p-legacy-$v)" "$d/$p-$v"; done; done
        PATH=$d "$0" -b 80 --verify off || exit 10
        iptables-legacy-save | grep -q MESHL4 || exit 11
        PATH=$d "$0" cleanup || exit 12
        iptables-legacy-save | grep -q MESHL4 && exit 13
        exit 0
        """);

    // Nobody needs ip(8) to redirect: only the address from which IPv6 is handed to the application does.
    [Theory]
    [InlineData("mkdir $d/bin; ln -s $(command -v nft) $(command -v sh) $d/bin", "$d/bin")]
    [InlineData("fake ip true", "$d:$PATH")]
    public void Apply_WithoutAWorkingIp_RedirectsAllTheSame(string setUp, string path) => Passes($$"""
        {{setUp}}
        PATH={{path}} "$0" -b 80 --verify off || exit 10
        PATH={{path}} "$0" diff -b 80 || exit 11
        "$0" diff -b 80; [ $? = 1 ] || exit 12
        "$0" -b 80 --verify off && "$0" diff -b 80
        """);

    [Fact]
    public void Cleanup_IpFails_RemovesWhatItCanAndSaysSo() => Passes("""
        "$0" -m TPROXY -b 80 --verify off --ipv6 on || exit 10
        fake ip '[ "$*" = "-N -4 -batch -" ]'
        PATH=$d:$PATH "$0" cleanup 2>$d/e; [ $? = 7 ] || exit 11
        grep -q 'cleanup is not complete.*ip was made to fail' $d/e || grep -q 'ip: ip was made to fail' $d/e || exit 12
        [ -z "$(rules; ip -6 route show table 133; ip -6 rule | grep 133)" ] || exit 13
        ip rule | grep -q 'lookup 133' || exit 14
        PATH=$d:$PATH "$0" cleanup 2>$d/e; [ $? = 5 ] || exit 15
        grep -q 'nothing was removed' $d/e || exit 16
        fake ip '[ "$*" = "-4 -batch -" ]'
        PATH=$d:$PATH "$0" cleanup 2>$d/e; [ $? = 5 ] || exit 17
        "$0" cleanup || exit 18
        [ -z "$(ip route show table 133; ip rule | grep 133)" ] || exit 19
        """);

    [Fact]
    public void Apply_StaleRoutesCannotBeRead_Warns() => Passes("""
        "$0" -m TPROXY -b 80 --verify off || exit 10
        fake ip '[ "$1" = -N ]'
        PATH=$d:$PATH "$0" -b 81 --verify off 2>$d/e || exit 11
        grep -q 'warning: policy routes could not be read.*ip was made to fail' $d/e || exit 12
        ip rule | grep -q 'lookup 133' || exit 13
        "$0" -b 81 --verify off 2>$d/e || exit 14
        grep -q 'policy routes' $d/e && exit 15
        [ -z "$(ip route show table 133; ip rule | grep 133)" ] || exit 16
        """);

    /// <summary>Counted by the kernel's calls, whatever the path: a first apply, one that changes the rules, one that finds them in place.</summary>
    [Fact]
    public void Apply_WithoutVerification_RunsNftOnceToReadAndOnceToWrite() => Passes("""
        ports=$(seq -s , 2001 2 2099); blocks=$(seq -f 11.%g.0.0/16 -s , 1 2 99)
        runs() { strace -f -qq -s 200 -e trace=execve -o $d/trace "$0" -b '*' -i '*' --ipv6 on --verify off -o $ports -x $blocks "$@" || exit 10
            grep -o 'execve("[^"]*/[^/"]*tables[^"]*"' $d/trace && exit 11
            writing=$(grep -c 'execve("[^"]*/nft", .*"-f"' $d/trace); all=$(grep -c 'execve("[^"]*/nft"' $d/trace); }
        runs; [ "$writing" = 1 ] && [ "$all" -le 2 ] || { grep nft $d/trace; exit 12; }
        runs -q 7777; [ "$writing" = 1 ] && [ "$all" -le 2 ] || { grep nft $d/trace; exit 13; }
        runs -q 7777; [ "$writing" = 0 ] && [ "$all" = 1 ] || { grep nft $d/trace; exit 14; }
        """);

    // Every way in which a process without capabilities could stand in the way: the table, the file, and the name of a socket.
    [Fact]
    public void Verify_ProcessWithoutCapabilitiesWantsTheLock_IsNotHeldUp() => Passes("""
        app="setpriv --reuid 1000 --regid 1000 --clear-groups --bounding-set -all --inh-caps -all"
        "$0" -b 80 --verify off || exit 10
        $app nft 'add table inet meshl4-verify { flags owner; }' && exit 11
        ns=$(readlink /proc/self/ns/net | tr -dc 0-9)
        $app sh -c "exec 9> /run/meshl4-verify.$ns" && exit 12
        $app socat -u ABSTRACT-RECV:meshl4-verify OPEN:/dev/null & holder=$!
        for i in $(seq 3000); do grep -q @meshl4-verify /proc/net/unix && break; sleep 0.01; done; grep -q @meshl4-verify /proc/net/unix || exit 13
        "$0" verify -b 80 --probe-timeout 2s; code=$?
        kill $holder
        exit $code
        """);

    [Fact]
    public void Verify_SeveralAtOnce_TakeTurnsAndAllHold() => Passes("""
        "$0" -b 80 -i 11.0.0.0/8 --verify off || exit 10
        for i in 1 2 3; do "$0" verify -b 80 -i 11.0.0.0/8 & pids="$pids $!"; done
        for pid in $pids; do wait $pid || exit 11; done
        exit 0
        """);

    private static void Passes(string script)
    {
        (int code, string output, string error) = Run(Fakes + script);
        code.ShouldBe(0, error + output);
    }
}
