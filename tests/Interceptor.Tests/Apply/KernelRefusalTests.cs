using MeshL4.Interceptor.Apply;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Apply;

/// <summary>Error texts as the programs print them: nftables 0.9 and 1.0.6, iptables 1.6.1, 1.8.2 and 1.8.9 of both variants, iproute2.</summary>
public class KernelRefusalTests
{
    private const string Comment = "comment \"the proxy calls by tproxy, redirect or ct\"";

    [Theory]
    [InlineData("nft", "mnl.c:60: Unable to initialize Netlink socket: Protocol not supported")]
    [InlineData("nft", "netlink.c:62: Unable to initialize Netlink socket: Protocol not supported")]
    [InlineData("nft", "netlink: Error: cache initialization failed: Invalid argument")]
    [InlineData("nft", "netlink: Error: cache initialization failed: Operation not supported")]
    [InlineData("iptables-nft-save", "iptables-nft-save/1.8.9 (nf_tables) Failed to initialize nft: Protocol not supported")]
    [InlineData("iptables-restore", "iptables-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Invalid argument")]
    [InlineData("iptables-nft-restore", "iptables-nft-restore v1.8.9 (nf_tables): \nline 1: TABLE_ADD failed (Operation not supported): table nat")]
    public void Read_NoNfTables_SaysSo(string program, string text) => Read(program, text, RedirectFailure.NoNfTables).ShouldContain("modprobe nf_tables");

    [Theory]
    [InlineData("nft", "/dev/stdin:6:29-34: Error: Could not process rule: No such file or directory\n\t\ttcp dport 80 counter packets tproxy to :15006 " + Comment + "\n\t\t                             ^^^^^^", "nft_tproxy")]
    [InlineData("nft", "Error: Could not process rule: No such file or directory\nadd rule inet t c tproxy to :1 " + Comment + "\n^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^", "nft_tproxy")]
    [InlineData("iptables-nft-restore", "Warning: Extension TPROXY revision 0 not supported, missing kernel module?\niptables-nft-restore v1.8.9 (nf_tables): \nline 3: RULE_APPEND failed (No such file or directory): rule in chain MESHL4_PREROUTING", "xt_TPROXY")]
    [InlineData("iptables-legacy-restore", "iptables-restore v1.8.2 (legacy): Couldn't load target `TPROXY':No such file or directory", "xt_TPROXY")]
    public void Read_NoTproxy_NamesTheModule(string program, string text, string module) => Read(program, text, RedirectFailure.NoTproxy).ShouldContain($"modprobe {module})");

    [Theory]
    [InlineData("iptables-nft-restore", "Warning: Extension owner revision 0 not supported, missing kernel module?\niptables-nft-restore v1.8.9 (nf_tables): \nline 3: RULE_APPEND failed (No such file or directory): rule in chain X")]
    [InlineData("ip6tables-legacy-restore", "Warning: Extension owner revision 0 not supported, missing kernel module?\nip6tables-restore: line 4 failed")]
    [InlineData("iptables-restore", "Warning: Extension owner is not supported, missing kernel module?")]
    [InlineData("iptables-legacy-restore", "iptables-restore v1.8.2 (legacy): Couldn't load match `owner':No such file or directory")]
    public void Read_NoOwner_SaysSo(string program, string text) => Read(program, text, RedirectFailure.NoOwner).ShouldContain("modprobe xt_owner");

    [Theory]
    [InlineData("ip6tables-legacy-restore", "ip6tables-restore v1.8.9 (legacy): ip6tables-restore: unable to initialize table 'nat'\nError occurred at line: 1")]
    [InlineData("ip6tables-restore", "ip6tables v1.6.0: can't initialize ip6tables table `nat': Table does not exist (do you need to insmod?)\nPerhaps ip6tables or your kernel needs to be upgraded.")]
    [InlineData("ip6tables-nft-restore", "ip6tables-nft-restore v1.8.9 (nf_tables): \nline 1: TABLE_ADD failed (Operation not supported): table nat")]
    public void Read_NoIp6tables_SaysHowToDoWithout(string program, string text) => Read(program, text, RedirectFailure.NoIp6tables).ShouldContain("--ipv6 off");

    [Theory]
    [InlineData("iptables-legacy-restore", "Can't lock /run/xtables.lock: Resource temporarily unavailable\nAnother app is currently holding the xtables lock. Stopped waiting after 30s.")]
    [InlineData("iptables-restore", "Another app is currently holding the xtables lock. Perhaps you want to use the -w option?")]
    public void Read_LockHeld_SaysSo(string program, string text) => Read(program, text, RedirectFailure.LockHeld).ShouldContain("run again");

    [Theory]
    [InlineData("iptables-legacy-restore", "Fatal: can't open lock file /run/xtables.lock: Read-only file system")]
    [InlineData("nft", "/proc/sys/net/ipv4/conf/all/rp_filter: Read-only file system")]
    public void Read_ReadOnly_SaysWhatToMount(string program, string text) => Read(program, text, RedirectFailure.ReadOnly).ShouldContain("emptyDir");

    [Theory]
    [InlineData("nft", "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted")]
    [InlineData("iptables-nft-save", "iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)")]
    [InlineData("iptables-legacy-save", "iptables-save v1.8.9 (legacy): Cannot initialize: Permission denied (you must be root)")]
    [InlineData("ip", "RTNETLINK answers: Operation not permitted")]
    public void Read_NotPermitted_NamesTheCapabilities(string program, string text) => Read(program, text, RedirectFailure.NotPermitted).ShouldContain("CAP_NET_ADMIN");

    // What the older iptables says then is what it says of a table that is not there.
    [Theory]
    [InlineData("iptables-legacy-restore", "CAP_NET_RAW")]
    [InlineData("ip6tables-legacy-restore", "CAP_NET_ADMIN")]
    public void Read_TableThatMayNotBeSeen_IsALackOfCapabilities(string program, string lacked)
    {
        var refusal = KernelRefusal.Read(program, "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'nat'", [lacked]);
        refusal.Failure.ShouldBe(RedirectFailure.NotPermitted);
        refusal.Advice.ShouldContain($"{lacked} missing here");
    }

    [Theory]
    [InlineData("iptables-legacy-restore", "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'nat'", "iptable_nat")]
    [InlineData("iptables-restore", "iptables-restore v1.6.1: iptables-restore: unable to initialize table 'nat'", "iptable_nat")]
    [InlineData("iptables-legacy-restore", "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'mangle'", "iptable_mangle")]
    [InlineData("iptables-restore", "iptables v1.6.0: can't initialize iptables table `raw': Table does not exist (do you need to insmod?)", "iptable_raw")]
    [InlineData("iptables-legacy-save", "iptables-save v1.8.9 (legacy): Cannot initialize: iptables who? (do you need to insmod?)", "iptable_nat")]
    [InlineData("iptables-nft-restore", "Warning: Extension MARK revision 0 not supported, missing kernel module?\niptables-nft-restore v1.8.10 (nf_tables):  RULE_APPEND failed (No such file or directory): rule in chain X", "xt_mark")]
    [InlineData("iptables-nft-restore", "iptables v1.8.7 (nf_tables): Couldn't load match `socket':No such file or directory", "xt_socket")]
    [InlineData("nft", "/dev/stdin:4:16-30: Error: Could not process rule: No such file or directory\n\t\ttcp dport 80 redirect to :1 " + Comment + "\n\t\t             ^^^^^^^^^^^^^^", "nft_redir")]
    [InlineData("nft", "Error: Could not process rule: No such file or directory\nadd rule inet t c ip daddr @x socket transparent 1 meta mark set 0x13475 accept\n                              ^^^^^^^^^^^^^^^^^^^^", "nft_socket")]
    [InlineData("nft", "/dev/stdin:2:8-13: Error: Could not process rule: Operation not supported\n\tchain output {\n\t      ^^^^^^", "nft_chain_nat")]
    public void Read_OtherModule_IsNamed(string program, string text, string module) => Read(program, text, RedirectFailure.ModuleMissing).ShouldContain($"modprobe {module})");

    [Theory]
    [InlineData("nft", "Error: Could not process rule: File exists\nadd rule inet t c tproxy to :1\n^^^^")]
    [InlineData("nft", "/dev/stdin:5:16-20: Error: syntax error, unexpected tproxy\n\ttproxy to\n\t^^^^^^")]
    [InlineData("nft", "Error: Could not process rule: No such file or directory\nadd rule inet nowhere c drop\n              ^^^^^^^")]
    [InlineData("nft", "Error: Could not process rule: No such file or directory")]
    [InlineData("nft", "Error: Could not process rule: No such file or directory\n\n")]
    [InlineData("iptables-restore", "iptables-restore: line 5 failed")]
    [InlineData("ip", "RTNETLINK answers: No such process")]
    [InlineData("ip", "")]
    public void Read_AnythingElse_IsLeftToTheText(string program, string text) => Read(program, text, RedirectFailure.Refused).ShouldBeEmpty();

    // What was there before was read, and is refused by its name or counts as ours: only something that has come since is in the way.
    [Theory]
    [InlineData("RTNETLINK answers: File exists\nCommand failed -:1")]
    [InlineData("Error: ipv6: address already assigned.\nCommand failed -:1")]
    public void Read_SameWasAddedMeanwhile_AsksForAnotherRun(string text)
    {
        string advice = Read("ip", text, RedirectFailure.Refused);
        advice.ShouldContain("run again");
        advice.ShouldNotContain("--istio-inbound-tproxy-route-table");
    }

    private static string Read(string program, string text, RedirectFailure expected)
    {
        var refusal = KernelRefusal.Read(program, text, []);
        refusal.Failure.ShouldBe(expected);
        return refusal.Advice;
    }
}
