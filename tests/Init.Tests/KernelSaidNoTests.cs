using Shouldly;
using Xunit;
using static MeshL4.Init.Tests.VerifyScript;

namespace MeshL4.Init.Tests;

/// <summary>What the program says, and how it ends, where the kernel lacks something: each with a code of its own, and nothing half
/// applied. The real programs are refused by the kernel's answers (strace puts them in place of the real ones) where that can be done for
/// one of them alone; the others answer with the text that they have for it. Root only.</summary>
public class KernelSaidNoTests
{
    /// <summary>refused NAME SYSCALL ERROR: that program's system call fails so. says NAME 'condition' TEXT: it fails with that text where the condition
    /// on its input holds. fails CODE WORD FLAGS: apply ends with that code, says that word, and what was there before is there still.</summary>
    private const string Tools = """
        d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
        strace=$(command -v strace)
        refused() { printf '#!/bin/sh\nexec %s -qq -o /dev/null -e inject=%s:error=%s %s "$@"\n' "$strace" "$2" "$3" "$(command -v $1)" > "$d/$1"; chmod +x "$d/$1"; }
        says() { printf '%b\n' "$3" > "$d/$1.text"; real=$(command -v $1); printf '#!/bin/sh\ninput=$(/bin/cat); if %s; then /bin/cat %s >&2; exit 4; fi\necho "$input" | exec %s "$@"\n' "$2" "$d/$1.text" "$real" > "$d/$1"; chmod +x "$d/$1"; }
        rules() { for p in "nft -s list ruleset" iptables-legacy-save ip6tables-legacy-save; do $p 2>/dev/null; done | grep -i meshl4 | sed 's/\[.*\]//'; ip rule; ip -6 rule; ip route show table 133; }
        fails() {
            code=$1; word=$2; shift 2; before=$(rules)
            for verify in off on; do
                timeout 60 env PATH=$d:$PATH "$0" --verify $verify "$@" >$d/o 2>$d/e; got=$?
                [ $got = $code ] || { echo "exit $got instead of $code"; cat $d/e; exit 10; }
                grep -q -- "$word" $d/e || { cat $d/e; exit 11; }
                [ "$before" = "$(rules)" ] || { echo "half applied: $(rules)"; exit 12; }
            done
        }

        """;

    private const string NoNfTables = "for p in nft iptables-nft-save ip6tables-nft-save iptables-nft-restore ip6tables-nft-restore; do refused $p socket EPROTONOSUPPORT; done\n";

    [Fact]
    public void Apply_NoNfTables_NativeNftablesExitsEight() => Passes(NoNfTables + "fails 8 'modprobe nf_tables' -b 80 --native-nftables");

    [Fact]
    public void Apply_NoNfTables_OlderTablesTakeItsPlace() => Passes(NoNfTables + """
        PATH=$d:$PATH "$0" -b 80 --verify off || exit 13
        iptables-legacy-save | grep -q 'dport 80 ' || exit 14
        """);

    [Theory]
    [InlineData("for p in iptables-legacy-restore ip6tables-legacy-restore; do refused $p getsockopt ENOPROTOOPT; done\n", "modprobe iptable_nat", "-b 80")]
    [InlineData("", "transparent mode needs nft", "-m TRANSPARENT -b 80")]
    public void Apply_NoNfTablesAndNothingInTheirPlace_ExitsEightAndNamesBoth(string older, string word, string flags) =>
        Passes($"{NoNfTables}{older}fails 8 'modprobe nf_tables' {flags}\ngrep -q '{word}' $d/e || exit 13");

    [Fact]
    public void Apply_NoNfTablesAndNoOlderProgram_ExitsEight() => Passes(NoNfTables + """
        rm $d/ip*; PATH=$d "$0" -b 80 --verify off 2>$d/e; [ $? = 8 ] || exit 13
        grep -q 'older iptables.*not installed' $d/e || exit 14
        """);

    [Fact]
    public void Apply_NoTproxyInNft_ExitsNine() => Passes("""
        cat > $d/nft <<'END'
        #!/bin/sh
        [ "$1" = -f ] || exec REAL "$@"
        script=$(/bin/cat)
        case $script in *tproxy*) ;; *) echo "$script" | REAL "$@"; exit ;; esac
        echo "$script" | /usr/bin/awk '/tproxy/ { at = index($0, "tproxy"); print "/dev/stdin:" NR ":" at "-" at + 5 ": Error: Could not process rule: No such file or directory"; print
            line = ""; for (i = 1; i < at; i++) line = line (substr($0, i, 1) == "\t" ? "\t" : " "); print line "^^^^^^" }' >&2
        exit 1
        END
        sed -i "s,REAL,$(command -v nft)," $d/nft; chmod +x $d/nft
        fails 9 'modprobe nft_tproxy' -m TPROXY -b 80
        fails 9 'modprobe nft_tproxy' -m TRANSPARENT -b 80
        # The same kernel does without it what needs none.
        PATH=$d:$PATH "$0" -b 80 --verify off || exit 13
        fails 9 'modprobe nft_tproxy' -m TPROXY -b 80
        """);

    [Theory]
    [InlineData("nft", "TPROXY", 9, "xt_TPROXY", "-m TPROXY -b 80")]
    [InlineData("legacy", "TPROXY", 9, "xt_TPROXY", "-m TPROXY -b 80")]
    [InlineData("nft", "owner", 10, "xt_owner", "-i *")]
    [InlineData("legacy", "owner", 10, "xt_owner", "-i *")]
    [InlineData("legacy", "comment", 14, "xt_comment", "-i *")]
    public void Apply_ExtensionMissing_NamesTheModule(string kind, string extension, int code, string module, string flags) => Passes($$"""
        says iptables-{{kind}}-restore 'echo "$input" | grep -q "{{extension}}"' 'Warning: Extension {{extension}} revision 0 not supported, missing kernel module?\niptables-{{kind}}-restore: line 9 failed'
        fails {{code}} 'modprobe {{module}})' --force-iptables-binary {{kind}} {{flags}}
        """);

    // From TPROXY the nat table is committed first; the mangle table is refused once, and the way back needs it.
    [Theory]
    [InlineData("nft")]
    [InlineData("legacy")]
    public void Apply_SecondTableRefused_FirstIsTakenBack(string kind) => Passes($$"""
        export d; "$0" -m TPROXY -b 80 --verify off --force-iptables-binary {{kind}} || exit 13
        before=$(rules; iptables-{{kind}}-save | grep MESHL4_)
        says iptables-{{kind}}-restore 'echo "$input" | grep -q "^.mangle" && [ ! -e $d/once ] && : > $d/once' 'iptables-restore: line 9 failed'
        PATH=$d:$PATH "$0" -b 81 --verify off --force-iptables-binary {{kind}} 2>$d/e; [ $? = 5 ] || { cat $d/e; exit 14; }
        [ -e $d/once ] || exit 15
        [ "$before" = "$(rules; iptables-{{kind}}-save | grep MESHL4_)" ] || exit 16
        """);

    // The first family has its rules when the second is refused: they are taken back.
    [Fact]
    public void Apply_KernelWithoutIp6Tables_ExitsElevenAndTakesIpv4Back() => Passes("""
        refused ip6tables-legacy-restore getsockopt ENOPROTOOPT
        fails 11 'ipv6 off' -b 80 --force-iptables-binary legacy
        PATH=$d:$PATH "$0" -b 80 --force-iptables-binary legacy --ipv6 off --verify off || exit 13
        """);

    [Fact]
    public void Apply_ProgramIp6tablesMissing_ExitsElevenAndLetsNoIpv6By() => Passes("""
        for p in iptables-legacy-save iptables-legacy-restore; do ln -s "$(command -v $p)" $d/$p; done
        PATH=$d "$0" -b 80 --verify off 2>$d/e; [ $? = 11 ] || exit 13
        grep -q 'ip6tables-legacy-save is not installed' $d/e || exit 14
        iptables-legacy-save | grep MESHL4 && exit 15
        PATH=$d "$0" -b 80 --verify off --ipv6 off || exit 16
        """);

    [Theory]
    [InlineData("net_admin", "--native-nftables", "CAP_NET_ADMIN missing here")]
    [InlineData("net_admin", "--force-iptables-binary nft", "CAP_NET_ADMIN missing here")]
    [InlineData("net_admin", "--force-iptables-binary legacy", "CAP_NET_ADMIN missing here")]
    [InlineData("net_raw", "--force-iptables-binary legacy", "CAP_NET_RAW missing here")]
    public void Apply_CapabilityMissing_ExitsThreeAndNamesIt(string capability, string flags, string word) => Passes($$"""
        "$0" -b 8080 --verify off {{flags}} || exit 13
        before=$(rules)
        setpriv --bounding-set -{{capability}} --inh-caps -{{capability}} "$0" -b 80 --verify off {{flags}} 2>$d/e; [ $? = 3 ] || { cat $d/e; exit 14; }
        grep -q '{{word}}' $d/e || { cat $d/e; exit 15; }
        [ "$before" = "$(rules)" ] || exit 16
        """);

    // What iptables waits is cut short here: what it was told to wait is looked at.
    private const string HeldLock = """
        mount -t tmpfs none /run; touch /run/xtables.lock
        for p in iptables-legacy-restore ip6tables-legacy-restore; do
            printf '#!/bin/sh\n[ "$*" = "--noflush --wait 30" ] || exit 99\nexec %s --noflush --wait 1\n' "$(command -v $p)" > $d/$p; chmod +x $d/$p
        done
        exec 8>/run/xtables.lock; flock 8

        """;

    [Fact]
    public void Apply_LockIsHeld_WaitsForAWhileAndExitsThirteen() => Passes(HeldLock + """
        fails 13 'holds the xtables lock' -b 80 --force-iptables-binary legacy
        flock -u 8; PATH=$d:$PATH "$0" -b 80 --force-iptables-binary legacy --verify off || exit 13
        """, "-nm");

    [Fact]
    public void Apply_CniModeAndTheNodesLockIsHeld_LocksTheNamespaceInstead() => Passes(HeldLock + """
        PATH=$d:$PATH "$0" -b 80 --force-iptables-binary legacy --verify off --cni-mode || exit 13
        iptables-legacy-save | grep -q 'dport 80 ' || exit 14
        exec 8>/dev/null 9</proc/self/ns/net; flock 9
        fails 13 'holds the xtables lock' -b 81 --force-iptables-binary legacy --cni-mode
        """, "-nm");

    [Fact]
    public void Apply_LockFileIsReadOnly_ExitsTwelve() => Passes("""
        mount -t tmpfs -o ro none /run
        fails 12 'Read-only' -b 80 --force-iptables-binary legacy
        PATH=$d:$PATH "$0" -b 80 --force-iptables-binary legacy --verify off --cni-mode || exit 13
        """, "-nm");

    // As in every container without privileges: nothing that the program does needs it to be writable.
    [Theory]
    [InlineData("-b * -i *")]
    [InlineData("-b * -i * -m TPROXY")]
    [InlineData("-b * -i * -m TRANSPARENT --capture-udp 53")]
    [InlineData("-b * -i * --force-iptables-binary legacy")]
    public void Everything_ProcSysIsReadOnly_WorksAsEver(string flags) => Passes($$"""
        mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys
        { echo 1 > /proc/sys/net/ipv4/ip_forward; } 2>/dev/null && exit 13
        "$0" {{flags}} > $d/o || exit 14
        grep -q ' 0 broken, 0 not provable' $d/o || { cat $d/o; exit 15; }
        "$0" diff {{flags}} || exit 16
        "$0" cleanup || exit 17
        rules | grep -i meshl4 && exit 18
        exit 0
        """, "-nm");

    [Theory]
    [InlineData("")]
    [InlineData("--force-iptables-binary legacy")]
    public void Apply_ReconcileFalse_OtherRulesAreAnErrorAndStay(string backend) => Passes($$"""
        "$0" -b 80 --verify off --reconcile=false {{backend}} || exit 13
        "$0" -b 80 --verify off --reconcile=false {{backend}} | grep -q 'nothing written' || exit 14
        fails 15 'reconcile=false' -b 81 --reconcile=false {{backend}}
        RECONCILE=false "$0" -b 81 --verify off {{backend}} && exit 15
        "$0" -b 81 --verify off {{backend}} --reconcile=false --force-apply || exit 16
        "$0" -b 82 --verify off {{backend}} --reconcile || exit 17
        "$0" diff -b 82 {{backend}} || exit 18
        """);

    private static void Passes(string script, string namespaces = "-n")
    {
        (int code, string output, string error) = RunIn(namespaces, Tools + script);
        code.ShouldBe(0, error + output);
    }
}
