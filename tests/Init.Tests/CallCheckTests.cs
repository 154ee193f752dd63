using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests;

/// <summary>What means nothing for a command is refused, before anything of the command is done.</summary>
public class CallCheckTests
{
    public static TheoryData<string, string, string[]> PacketFlags
    {
        get
        {
            var data = new TheoryData<string, string, string[]>();
            foreach (string command in (string[])["apply", "plan", "diff", "verify", "cleanup"])
            {
                foreach ((string flag, string value) in new[] { ("proto", "udp"), ("src", "10.0.0.1"), ("dst", "10.0.0.1:80"), ("uid", "1338"), ("gid", "1338"), ("mark", "7"), ("interface", "lo") })
                {
                    data.Add(command, $"--{flag} '{value}': describes a packet", [$"--{flag}", value]);
                }

                data.Add(command, "--in: describes a packet", ["--in"]);
                data.Add(command, "--out: describes a packet", ["--out"]);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(PacketFlags))]
    public void Run_PacketFlagWithoutExplain_IsRefused(string command, string error, string[] flag)
    {
        Refusal([command, "-b", "*", .. flag]).ShouldContain(error);
        if (command == "apply")
        {
            Refusal(["-b", "*", .. flag]).ShouldContain(error);
        }
    }

    [Fact]
    public void Run_SeveralPacketFlags_AreAllNamed()
    {
        string error = Refusal("apply", "-b", "*", "--uid", "1338", "--gid", "1338", "--in");
        error.ShouldContain("--uid '1338': describes a packet for explain, which apply has not; the proxy's user is --proxy-uid");
        error.ShouldContain("--gid '1338'");
        error.ShouldContain("--in:");
        error.ShouldContain("3 error(s), nothing applied");
    }

    [Theory]
    [InlineData("json", "cleanup")]
    [InlineData("json", "cleanup", "--dry-run")]
    [InlineData("json", "apply", "--cleanup-only")]
    [InlineData("nft", "apply", "--cleanup-only", "--dry-run")]
    [InlineData("json", "apply", "--verify", "off")]
    [InlineData("json", "--verify", "off")]
    [InlineData("json", "apply", "--skip-rule-apply")]
    [InlineData("json", "verify", "--dry-run")]
    [InlineData("nft", "verify")]
    [InlineData("nft", "apply")]
    [InlineData("iptables", "diff")]
    [InlineData("iptables", "explain", "--dst", "10.0.0.1:80")]
    public void Run_FormatThatNothingIsPrintedIn_IsRefused(string format, params string[] arguments) =>
        Refusal([.. arguments, "-b", "*", "--format", format]).ShouldContain($"--format '{format}': ");

    [Theory]
    [InlineData("json", "apply")]
    [InlineData("json", "apply", "--verify", "strict")]
    [InlineData("json", "apply", "--verify", "off", "--run-validation")]
    [InlineData("json", "apply", "--skip-rule-apply", "--run-validation")]
    [InlineData("iptables", "apply", "--verify", "off", "--dry-run")]
    [InlineData("text", "apply", "--verify", "off")]
    [InlineData("json", "verify")]
    [InlineData("json", "diff")]
    [InlineData("json", "explain", "--in", "--uid", "5", "--dst", "10.0.0.1:80")]
    [InlineData("text", "cleanup")]
    [InlineData("nft", "plan")]
    public void Run_FormatThatIsPrinted_IsTaken(string format, params string[] arguments) =>
        Run([.. arguments, "-b", "*", "--format", format]).Entered.ShouldBeTrue();

    /// <summary>What the framework's own reader takes for something else than was written is among them.</summary>
    [Theory]
    [InlineData("2001:db8::1", "with brackets")]
    [InlineData("2001:db8::1:6379", "with brackets")]
    [InlineData("[2001:db8::1]", "not an address with a port")]
    [InlineData("[2001:db8::1]6379", "not an address with a port")]
    [InlineData("[2001:db8::1]:", "'' is not a port")]
    [InlineData("[2001:db8::1]:0x50", "'0x50' is not a port")]
    [InlineData("[[2001:db8::1]]:80", "is not an address of IPv6")]
    [InlineData("[2001:db8::1/64]:80", "is not an address of IPv6")]
    [InlineData("[fe80::1%eth0]:80", "is not an address of IPv6")]
    [InlineData("[10.0.0.1]:80", "'10.0.0.1' is not an address of IPv6")]
    [InlineData("[::ffff:10.0.0.1]:80", "packets to it are IPv4, 10.0.0.1")]
    [InlineData("10.0.0.1", "not an address with a port")]
    [InlineData("10.0.0.1:", "'' is not a port")]
    [InlineData("10.0.0.1:0", "'0' is not a port")]
    [InlineData("10.0.0.1:00080", "'00080' is not a port")]
    [InlineData("10.0.0.1:65536", "'65536' is not a port")]
    [InlineData("10.0.0.1:4294967376", "is not a port")]
    [InlineData("10.0.0.1:-1", "'-1' is not a port")]
    [InlineData("10.0.0.1:+80", "'+80' is not a port")]
    [InlineData("10.0.0.1: 80", "' 80' is not a port")]
    [InlineData("10.0.0.1:80 ", "'80 ' is not a port")]
    [InlineData("10.0.0.1:http", "'http' is not a port")]
    [InlineData("10.0.0.1:80-90", "'80-90' is not a port")]
    [InlineData("010.0.0.1:80", "'010.0.0.1' is not an address")]
    [InlineData("10.1:80", "'10.1' is not an address")]
    [InlineData("1:80", "'1' is not an address")]
    [InlineData("0x7f.0.0.1:80", "is not an address")]
    [InlineData("10.0.0.1/32:80", "is not an address")]
    [InlineData("10.0.0.256:80", "is not an address")]
    [InlineData("redis:6379", "'redis' is not an address; names are not looked up")]
    [InlineData("localhost:80", "names are not looked up")]
    [InlineData(":80", "not an address with a port")]
    [InlineData("tcp://10.0.0.1:80", "with brackets")]
    [InlineData("", "not an address with a port")]
    public void Explain_OddDestination_IsRefusedByName(string destination, string wrong)
    {
        string error = Refusal("explain", $"--dst={destination}");
        error.ShouldContain($"--dst '{destination}': ");
        error.ShouldContain(wrong);
    }

    [Theory]
    [InlineData("--src", "[::1]")]
    [InlineData("--src", "10.0.0.1:80")]
    [InlineData("--src", "10.1")]
    [InlineData("--src", "010.0.0.1")]
    [InlineData("--src", "10.0.0.0/8")]
    [InlineData("--src", "client")]
    [InlineData("--src", "")]
    [InlineData("--uid", "01337")]
    [InlineData("--uid", "4294967295")]
    [InlineData("--gid", "-1")]
    [InlineData("--mark", "0x539")]
    [InlineData("--interface", "eth+")]
    [InlineData("--interface", "an-interface-of-17")]
    [InlineData("--interface", "")]
    public void Explain_OddPacket_IsRefusedByName(string flag, string value) =>
        Refusal("explain", "--dst", "10.0.0.1:80", $"{flag}={value}").ShouldContain($"{flag} '{value}': ");

    [Theory]
    [InlineData("10.0.0.1:1", "10.0.0.1")]
    [InlineData("[2001:db8::1]:65535", "2001:db8::5")]
    [InlineData("[::1]:80", "::")]
    public void Explain_AddressAndPort_AreTaken(string destination, string source) =>
        Run(["explain", "--dst", destination, "--src", source]).Entered.ShouldBeTrue();

    [Theory]
    [InlineData("plan")]
    [InlineData("apply", "--dry-run")]
    [InlineData("apply", "-n")]
    public void Run_TransparentInTheWordsOfIptables_IsRefused(params string[] arguments) =>
        Refusal([.. arguments, "-m", "TRANSPARENT", "-b", "*", "--format", "iptables"])
            .ShouldContain("--format 'iptables' and --istio-inbound-interception-mode 'TRANSPARENT': transparent mode needs nft");

    private static string Refusal(params string[] arguments)
    {
        (int code, string error, bool entered) = Run(arguments);
        entered.ShouldBeFalse();
        code.ShouldBe(2);
        return error;
    }

    // What is not refused ends where the program would enter a namespace: nothing here touches the machine's own.
    private static (int Code, string Error, bool Entered) Run(string[] arguments)
    {
        using StringWriter output = new(), error = new();
        bool entered = false;
        int code = Program.Run([.. arguments, "--network-namespace", "/proc/self/ns/net"], _ => null, output, error, _ =>
        {
            entered = true;
            throw new InvalidOperationException("as far as the test goes");
        });
        return (code, error.ToString(), entered);
    }
}
