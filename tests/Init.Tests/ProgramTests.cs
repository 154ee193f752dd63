using System.Text.Json;
using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests;

public class ProgramTests
{
    [Fact]
    public void Run_SeveralErrors_PrintsAllAndExitsTwo()
    {
        (int code, string output, string error) = Run(["apply", "-b", "0", "--bogus", "-u", "root", "-x", "-q"]);
        code.ShouldBe(2);
        output.ShouldBeEmpty();
        error.ShouldContain("--bogus");
        error.ShouldContain("--istio-inbound-ports '0'");
        error.ShouldContain("--proxy-uid 'root'");
        error.ShouldContain("--istio-service-exclude-cidr '-q'");
        error.ShouldContain("nothing applied");
    }

    [Theory]
    [InlineData("frobnicate")]
    [InlineData("plan", "extra")]
    [InlineData("plan", "--format", "xml")]
    [InlineData("plan", "--envoy-port")]
    [InlineData("explain", "--dst", "10.0.0.1")]
    [InlineData("explain")]
    [InlineData("explain", "--dst", "10.0.0.1:80", "--src", "::1")]
    [InlineData("plan", "-x", "@/no/such/file")]
    public void Run_BadArguments_ExitsTwo(params string[] arguments) => Run(arguments).Code.ShouldBe(2);

    [Theory]
    [InlineData(true, "-b", "80")]
    [InlineData(true, "-b", "80", "--redirect-inbound")]
    [InlineData(true, "-b", "80", "--redirect-inbound=true")]
    [InlineData(false, "--redirect-inbound=false", "-b", "80")]
    [InlineData(false, "--redirect-inbound", "false", "-b", "80")]
    public void Run_SwitchWithAndWithoutValue_IsTaken(bool captured, params string[] flags)
    {
        (int code, string output, string error) = Run(["plan", .. flags]);
        code.ShouldBe(0, error);
        output.Contains("tcp dport 80", StringComparison.Ordinal).ShouldBe(captured);
        Run([.. flags, "plan"]).Output.ShouldBe(output);
        Run(["plan", "--redirect-inbound=maybe"]).Code.ShouldBe(2);
    }

    [Fact]
    public void Run_VariableAndFlag_FlagWins()
    {
        string? Variable(string name) => name switch
        {
            "INBOUND_CAPTURE_PORT" => "16006",
            "ISTIO_INBOUND_PORTS" => "80",
            _ => null,
        };
        Run(["plan"], Variable).Output.ShouldContain("tcp dport 80: to the proxy at 16006");
        Run(["plan", "-b", "81", "-z", "17006"], Variable).Output.ShouldContain("tcp dport 81: to the proxy at 17006");
    }

    [Fact]
    public void Run_BadVariable_ErrorNamesTheVariable() =>
        Run(["plan"], name => name == "PROXY_UID" ? "x" : null).Error.ShouldContain("PROXY_UID 'x'");

    [Fact]
    public void Run_FlagAnnotationAndVariable_WinInThisOrder()
    {
        string? Variable(string name) => name switch
        {
            "ISTIO_INBOUND_PORTS" => "80",
            "ISTIO_OUTBOUND_PORTS" => "81",
            "FROM_ANNOTATIONS" => "traffic.sidecar.istio.io/includeInboundPorts=90",
            _ => null,
        };
        Run(["plan"], Variable).Output.ShouldContain("tcp dport 90: to the proxy");
        Run(["plan"], Variable).Output.ShouldContain("tcp dport 81: to the proxy");
        string both = Run(["plan", "--from-annotations", "traffic.sidecar.istio.io/includeInboundPorts=91", "--from-annotations", "traffic.sidecar.istio.io/includeOutboundPorts=92"], Variable).Output;
        both.ShouldContain("tcp dport 91: to the proxy");
        both.ShouldContain("tcp dport 92: to the proxy");
        Run(["plan", "-b", "99"], Variable).Output.ShouldContain("tcp dport 99: to the proxy");
    }

    [Fact]
    public void Run_ModeGivenAndNoneAnnotated_FlagWins()
    {
        string[] arguments = ["plan", "-b", "80", "--from-annotations", "sidecar.istio.io/interceptionMode=NONE"];
        Run(arguments).Output.ShouldNotContain("to the proxy");
        Run([.. arguments, "-m", "REDIRECT"]).Output.ShouldContain("tcp dport 80: to the proxy");
    }

    [Fact]
    public void Run_AnnotationWithAnAtSign_ReadsNoFile()
    {
        (int code, _, string error) = Run(["plan", "--from-annotations", "traffic.sidecar.istio.io/includeInboundPorts=@/etc/passwd"]);
        code.ShouldBe(2);
        error.ShouldContain("annotation traffic.sidecar.istio.io/includeInboundPorts '@/etc/passwd'");
        error.ShouldNotContain("root:");
    }

    [Theory]
    [InlineData("-i", "-b")]
    [InlineData("-i", "--istio-inbound-ports")]
    [InlineData("--istio-local-exclude-ports=-b")]
    [InlineData("-x", "--", "-b")]
    [InlineData("-c", "-b", "80")]
    public void Run_SwappedArguments_ExitsTwo(params string[] arguments) => Run(["plan", .. arguments]).Code.ShouldBe(2);

    [Fact]
    public void Run_EnvoyPortAsVariable_IsNotRead() =>
        Run(["plan", "-i", "*"], name => name == "ENVOY_PORT" ? "tcp://10.0.0.1:80" : null).Code.ShouldBe(0);

    [Fact]
    public void Run_VariableFromFile_IsRead()
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "10.1.0.0/16\n10.3.0.0/16, 10.7.0.0/16\n");
            Run(["plan", "-i", "*"], name => name == "ISTIO_SERVICE_EXCLUDE_CIDR" ? $"@{file}" : null)
                .Output.ShouldContain("ip daddr { 10.1.0.0/16, 10.3.0.0/16, 10.7.0.0/16 }");
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Run_RepeatedAndFromFile_ValuesAddUp()
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "10.1.0.0/16\n10.3.0.0/16\n");
            Run(["plan", "-i", "*", "-x", $"@{file}", "-x", "10.5.0.0/16"]).Output.ShouldContain("ip daddr { 10.1.0.0/16, 10.3.0.0/16, 10.5.0.0/16 }");
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("nft", "table inet meshl4 {")]
    [InlineData("iptables", "# ip6tables-restore --noflush")]
    [InlineData("text", "Traffic that enters the pod:")]
    public void Run_Plan_PrintsTheFormat(string format, string expected)
    {
        (int code, string output, _) = Run(["plan", "-b", "*", "--format", format, "--ipv6", "on"]);
        code.ShouldBe(0);
        output.ShouldContain(expected);
    }

    // Run as they stand, the commands and the script are the whole of what apply writes. Root only.
    [Theory]
    [InlineData("TPROXY", "nft", "sed '/^# ip /d' $d/plan | nft -f -")]
    [InlineData("TRANSPARENT", "nft", "nft -f $d/plan")]
    [InlineData("TPROXY", "iptables", "sed '/^# ip6tables-restore/,$d' $d/plan | iptables-nft-restore --noflush && sed '1,/^# ip6tables-restore/d' $d/plan | ip6tables-nft-restore --noflush")]
    public void Run_PlanAsAScript_HasTheRoutesWithoutWhichItsRulesDoNotWork(string mode, string format, string load)
    {
        string backend = format == "nft" ? "" : "--force-iptables-binary nft";
        (int code, string output, string error) = VerifyScript.Run($$"""
            d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
            "$0" plan -m {{mode}} -b 80 --ipv6 on --format {{format}} > $d/plan || exit 10
            {{load}} || exit 11
            "$0" diff -m {{mode}} -b 80 --ipv6 on {{backend}} && exit 12
            sed -n 's/^# ip /ip /p' $d/plan > $d/commands; sh -e $d/commands || exit 13
            "$0" diff -m {{mode}} -b 80 --ipv6 on {{backend}} || exit 14
            """);
        code.ShouldBe(0, error + output);
    }

    [Fact]
    public void Run_PlanAsJson_HasTheSetsThatRulesFill()
    {
        JsonElement plan = JsonDocument.Parse(Run(["plan", "-m", "TRANSPARENT", "-b", "*", "-i", "*", "--format", "json"]).Output).RootElement;
        string[] sets = [.. plan.GetProperty("sets").EnumerateArray().Select(s => s.GetProperty("name").GetString()!)];
        sets.ShouldBe(["served", "direct"], ignoreOrder: true);
        JsonElement[] filling = [.. plan.GetProperty("chains").EnumerateArray().SelectMany(c => c.GetProperty("rules").EnumerateArray())
            .Where(r => r.GetProperty("verdict").GetString() is "remember" or "forget")];
        filling.ShouldNotBeEmpty();
        filling.ShouldAllBe(r => sets.Contains(r.GetProperty("set").GetString()));
    }

    [Fact]
    public void Run_PlanAsJson_IsJson() =>
        JsonDocument.Parse(Run(["plan", "-b", "*", "--format", "json"]).Output).RootElement.GetProperty("chains").GetArrayLength().ShouldBe(2);

    [Fact]
    public void Run_DryRun_PrintsInsteadOfApplying() =>
        Run(["-n", "-i", "*"]).Output.ShouldStartWith("Families:");

    [Theory]
    [InlineData("1000", "to the proxy at 15001")]
    [InlineData("1337", "left alone (connections of the proxy itself")]
    public void Run_Explain_NamesTheRule(string uid, string expected) =>
        Run(["explain", "-i", "*", "--dst", "10.96.0.1:6379", "--uid", uid, "--gid", "1000"]).Output.ShouldContain(expected);

    [Fact]
    public void Run_ExplainAsJson_HasTheRulesMetAndTheVerdict()
    {
        JsonElement json = JsonDocument.Parse(Run(["explain", "-i", "*", "-x", "10.0.0.0/8", "--dst", "10.96.0.1:6379", "--uid", "1000", "--gid", "7", "--format", "json"]).Output).RootElement;
        json.GetProperty("verdict").GetString().ShouldBe("return");
        json.GetProperty("rules").EnumerateArray().Single().GetProperty("why").GetString().ShouldBe("destinations excluded by request");
        json.GetProperty("uid").GetInt32().ShouldBe(1000);
    }

    [Fact]
    public void Run_ExplainInTransparentMode_ShowsTheWayOverLoopback()
    {
        string output = Run(["explain", "-m", "transparent", "-i", "*", "--dst", "10.96.0.1:6379", "--uid", "1000", "--gid", "7"]).Output;
        output.ShouldContain("mangle_output");
        output.ShouldContain("mangle_prerouting");
        output.ShouldEndWith("verdict: to the proxy at 15001\n");
    }

    [Theory]
    [InlineData("verdict: to the proxy at 15006\n")]
    [InlineData("verdict: left alone\n", "--forwarded")]
    public void Run_ExplainDatagramFromOutside_KnowsWhetherThePodPassesItOn(string verdict, params string[] flags) =>
        Run(["explain", "-m", "TRANSPARENT", "-b", "*", "--capture-udp", "*", "--in", "--proto", "udp", "--dst", "203.0.113.9:5000", .. flags]).Output.ShouldEndWith(verdict);

    [Theory]
    [InlineData("plan", "-i", "10.1.0.0/16", "-x", "10.0.0.0/8")]
    [InlineData("explain", "-i", "10.1.0.0/16", "-x", "10.0.0.0/8", "--dst", "10.1.0.1:80")]
    public void Run_RuleNobodyReaches_IsReported(params string[] arguments) =>
        Run(arguments).Error.ShouldContain("is never reached");

    [Theory]
    [InlineData("explain", "--dst", "10.0.0.1:80", "--in", "--out")]
    [InlineData("explain", "--dst", "10.0.0.1:80", "--mark", "x")]
    [InlineData("explain", "--dst", "10.0.0.1:80", "--forwarded")]
    [InlineData("plan", "--forwarded")]
    [InlineData("explain", "--dst", "10.0.0.1:80", "--format", "nft")]
    public void Run_BadExplain_ExitsTwo(params string[] arguments) => Run(arguments).Code.ShouldBe(2);

    [Fact]
    public void Run_Help_ListsEveryFlagAndExitCode()
    {
        (int code, string output, _) = Run(["--help"]);
        code.ShouldBe(0);
        foreach (Interceptor.Plan.RedirectFlag flag in Interceptor.Plan.RedirectFlag.All)
        {
            output.ShouldContain($"--{flag.Name}");
        }

        output.ShouldContain("Exit codes:");
    }

    private static (int Code, string Output, string Error) Run(string[] arguments, Func<string, string?>? variable = null)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = Program.Run(arguments, variable ?? (_ => null), output, error, _ => { });
        return (code, output.ToString(), error.ToString());
    }
}
