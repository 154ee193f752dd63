using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests;

/// <summary>Switches as Go's flag packages write them: alone, or with one value.</summary>
public class SwitchTests
{
    [Theory]
    [InlineData("--redirect-inbound=false", false, true)]
    [InlineData("--redirect-outbound=false", true, false)]
    [InlineData("--redirect-inbound=true", true, true)]
    [InlineData("--redirect-inbound", true, true)]
    [InlineData("--dry-run", true, true)]
    [InlineData("-n", true, true)]
    public void Run_Switch_TakesAValueOrNone(string given, bool inbound, bool outbound)
    {
        (int code, string output, string error) = Run("plan", "-b", "*", "-i", "*", given);
        code.ShouldBe(0, error);
        output.Contains("all other inbound TCP").ShouldBe(inbound);
        output.Contains("all other outbound TCP").ShouldBe(outbound);
    }

    [Fact]
    public void Run_SwitchBeforeCommand_LeavesTheCommandACommand() => Run("--dry-run", "cleanup").Output.ShouldContain("would remove the rules");

    [Theory]
    [InlineData("--redirect-inbound=maybe")]
    [InlineData("--dry-run=2")]
    public void Run_SwitchWithAnotherValue_NamesFlagAndValue(string given)
    {
        (int code, _, string error) = Run("plan", given);
        code.ShouldBe(2);
        error.ShouldContain($"{given.Split('=')[0]} '{given.Split('=')[1]}'");
    }

    // Every example of --help, word by word, but only planned.
    [Fact]
    public void Run_ExamplesOfHelp_AreUnderstood()
    {
        string[] examples = [.. Run("--help").Output.Split('\n').Where(l => l.StartsWith("  meshl4-init ", StringComparison.Ordinal))];
        examples.Length.ShouldBeGreaterThan(5);
        foreach (string example in examples.Where(e => !e.Contains("--from-annotations", StringComparison.Ordinal)))
        {
            string[] words = [.. example.Split("  ", StringSplitOptions.RemoveEmptyEntries)[0].Split(" ||")[0].Split(' ').Skip(1).Select(w => w.Trim('\''))];
            string[] arguments = words[0] is "explain" or "plan" ? words : ["plan", .. words.Where(w => w != "diff")];
            Run(arguments).Code.ShouldBe(0, example);
        }
    }

    [Theory]
    [InlineData("-p16001")]
    [InlineData("-p=16001")]
    [InlineData("-p", "16001")]
    public void Run_ShortFlag_TakesItsValueWithoutASpace(params string[] given)
    {
        (int code, string output, string error) = Run(["plan", "-i*", .. given]);
        code.ShouldBe(0, error);
        output.ShouldContain("to the proxy at 16001");
    }

    // The next argument is not the value of a flag that has an empty one.
    [Theory]
    [InlineData("--istio-service-exclude-cidr=", "-b80")]
    [InlineData("-x=", "-b80")]
    [InlineData("-nx=", "-b80")]
    [InlineData("--envoy-user=", "--istio-inbound-ports=80")]
    [InlineData("-x", "", "-b80")]
    public void Run_EmptyValue_TakesNotTheNextArgument(params string[] given)
    {
        (int code, string output, string error) = Run(["plan", "--ipv6", "on", .. given]);
        code.ShouldBe(0, error);
        error.ShouldBeEmpty();
        output.ShouldContain("tcp dport 80: to the proxy");
    }

    // As pflag reads them: switches first, and what follows a flag that takes a value is its value.
    [Theory]
    [InlineData("-nb80")]
    [InlineData("-nb=80")]
    [InlineData("-nb", "80")]
    [InlineData("-n", "-b", "80")]
    [InlineData("-n", "-b=80")]
    [InlineData("-n=true", "-b80")]
    [InlineData("-nnb80")]
    public void Run_ShortFlagsInOneArgument_AreEachUnderstood(params string[] given)
    {
        (int code, string output, string error) = Run(["verify", .. given]);
        code.ShouldBe(0, error);
        output.ShouldStartWith("meshl4-init: would send ");
        output.ShouldContain("inbound connections are captured: tcp to 192.0.2.130:80 ");
    }

    [Theory]
    [InlineData("'-nj'", "-nj")]
    [InlineData("'-n8'", "-n8")]
    [InlineData("'-jn'", "-jn")]
    [InlineData("--istio-inbound-ports '80n'", "-b80n")]
    [InlineData("--istio-inbound-ports '-n'", "-b", "-n")]
    [InlineData("--istio-inbound-ports '-i'", "-nb", "-i", "*")]
    [InlineData("--dry-run 'b80'", "-n=b80")]
    public void Run_ShortFlagsThatMeanNothing_AreNamed(string reason, params string[] given)
    {
        (int code, _, string error) = Run(["plan", .. given]);
        code.ShouldBe(2);
        error.ShouldContain(reason);
    }

    [Fact]
    public void Run_HelpAmongShortFlags_IsHelp() => Run("-nh").Output.ShouldStartWith("meshl4-init: redirect a pod's traffic");

    [Fact]
    public void Run_ValueThatLooksLikeAFlag_StaysAValue() => Run("plan", "-x", "-p16001").Error.ShouldContain("--istio-service-exclude-cidr '-p16001'");

    [Theory]
    [InlineData("nft")]
    [InlineData("iptables")]
    public void Run_ApplyThatShouldPrintAPlan_NeedsADryRun(string format)
    {
        (int code, _, string error) = Run("apply", "-b", "80", "--format", format);
        code.ShouldBe(2);
        error.ShouldContain($"--format '{format}'");
        Run("apply", "-b", "80", "--format", format, "--dry-run=1").Code.ShouldBe(0);
    }

    [Fact]
    public void Run_FlagOverAnnotation_IsTold() =>
        Run("plan", "-b", "*", "--from-annotations", "traffic.sidecar.istio.io/includeInboundPorts=80").Error
            .ShouldContain("note: --istio-inbound-ports '*' wins over annotation traffic.sidecar.istio.io/includeInboundPorts '80'");

    [Fact]
    public void Run_ModeOverAnnotationThatSaysNone_IsToldOnce() =>
        Run("plan", "-b", "80", "-m", "REDIRECT", "--from-annotations", "sidecar.istio.io/interceptionMode=NONE").Error.Split('\n')
            .Count(l => l.Contains("wins over annotation sidecar.istio.io/interceptionMode 'NONE'", StringComparison.Ordinal)).ShouldBe(1);

    [Fact]
    public void Run_LinkerdsAnnotations_ExcludeItsOwnPorts() =>
        Run("plan", "-b", "*", "--from-annotations", "config.linkerd.io/skip-inbound-ports=25").Output.ShouldContain("25, 4190-4191");

    [Fact]
    public void Run_IstiosAnnotations_ExcludeTheSidecarsPorts()
    {
        string[] arguments = ["plan", "--from-annotations", "traffic.sidecar.istio.io/includeInboundPorts=*"];
        Run(arguments).Output.ShouldContain("15020-15021, 15090");
        Run([.. arguments, "-d", "9"]).Output.ShouldNotContain("15090");
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        int code = Program.Run(arguments, _ => null, output, error, _ => { });
        return (code, output.ToString(), error.ToString());
    }
}
