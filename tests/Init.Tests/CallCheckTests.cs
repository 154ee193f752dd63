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
