using MeshL4.L4Proxy.CommandLine;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.CommandLine;

public sealed class ProxyArgumentsTests
{
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    private ProxyArguments? Parse(out int exitCode, params string[] args) => ProxyArguments.TryParse(args, _output, _error, out exitCode);

    private ProxyArguments Valid(params string[] args)
    {
        ProxyArguments? parsed = Parse(out int exitCode, args);
        exitCode.ShouldBe(0, _error.ToString());
        return parsed.ShouldNotBeNull();
    }

    [Fact]
    public void TryParse_OnlyConfig_RunsWithEnvoyDefaults()
    {
        ProxyArguments arguments = Valid("-c", "b.yaml");
        arguments.Verb.ShouldBe(ProxyVerb.Run);
        arguments.ConfigPath.ShouldBe("b.yaml");
        arguments.Concurrency.ShouldBeNull();
        arguments.DrainTime.ShouldBe(TimeSpan.FromSeconds(600));
        arguments.ParentShutdownTime.ShouldBe(TimeSpan.FromSeconds(900));
        arguments.LogLevel.ShouldBe(LogLevel.Information);
        arguments.Warnings.ShouldBeEmpty();
    }

    [Fact]
    public void TryParse_EveryFlag_IsTaken()
    {
        ProxyArguments arguments = Valid(
            "run", "--config-path=b.yaml", "--config-yaml", "admin: {}", "--concurrency", "2", "-l", "warn",
            "--component-log-level", "config:trace,upstream:debug", "--drain-time-s", "45", "--parent-shutdown-time-s", "60",
            "--service-cluster", "web", "--service-node", "sidecar~1", "--service-zone", "z1", "--format", "json");
        arguments.ConfigYaml.ShouldBe("admin: {}");
        arguments.Concurrency.ShouldBe(2);
        arguments.LogLevel.ShouldBe(LogLevel.Warning);
        arguments.ComponentLogLevels["config"].ShouldBe(LogLevel.Trace);
        arguments.ComponentLogLevels["upstream"].ShouldBe(LogLevel.Debug);
        arguments.DrainTime.ShouldBe(TimeSpan.FromSeconds(45));
        arguments.ParentShutdownTime.ShouldBe(TimeSpan.FromSeconds(60));
        (arguments.ServiceCluster, arguments.ServiceNode, arguments.ServiceZone).ShouldBe(("web", "sidecar~1", "z1"));
        arguments.JsonOutput.ShouldBeTrue();
    }

    [Theory]
    [InlineData("validate", "-c", "b.yaml")]
    [InlineData("-c", "b.yaml", "--mode", "validate")]
    [InlineData("-c", "b.yaml", "validate")]
    public void TryParse_ValidateInAnyForm_IsValidate(params string[] args) => Valid(args).Verb.ShouldBe(ProxyVerb.Validate);

    [Fact]
    public void TryParse_EnvoyFlagsWithoutMeaning_WarnEach()
    {
        ProxyArguments arguments = Valid(
            "-c", "b.yaml", "--restart-epoch", "0", "--disable-hot-restart", "--base-id", "3", "--allow-unknown-static-fields",
            "--log-format", "%Y", "--stats-tag", "a:b", "--stats-tag", "c:d");
        arguments.Warnings.Length.ShouldBe(6);
        arguments.Warnings.ShouldContain(warning => warning.Contains("--restart-epoch", StringComparison.Ordinal));
        arguments.ConfigPath.ShouldBe("b.yaml");
    }

    [Theory]
    [InlineData("--no-such-flag")]
    [InlineData("frobnicate")]
    [InlineData("--concurrency", "many")]
    [InlineData("--concurrency", "-1")]
    [InlineData("-l", "loud")]
    [InlineData("--component-log-level", "config")]
    [InlineData("--drain-time-s", "soon")]
    [InlineData("--mode", "guess")]
    [InlineData("--format", "xml")]
    public void TryParse_WrongLine_Exits2AndSaysWhat(params string[] wrong)
    {
        Parse(out int exitCode, ["-c", "b.yaml", .. wrong]).ShouldBeNull();
        exitCode.ShouldBe(2);
        _error.ToString().ShouldContain(wrong[^1]);
        _output.ToString().ShouldBeEmpty();
    }

    [Fact]
    public void TryParse_NoConfig_Exits2()
    {
        Parse(out int exitCode, "run").ShouldBeNull();
        exitCode.ShouldBe(2);
        _error.ToString().ShouldContain("-c FILE");
    }

    [Fact]
    public void TryParse_Help_ShowsExamplesAndExitCodes()
    {
        Parse(out int exitCode, "--help").ShouldBeNull();
        exitCode.ShouldBe(0);
        string help = _output.ToString();
        help.ShouldContain("--drain-time-s");
        help.ShouldContain("Exit codes:");
        help.ShouldNotContain("--enable-mutex-tracing");
    }

    [Fact]
    public void TryParse_Version_PrintsItAlone()
    {
        Parse(out int exitCode, "--version").ShouldBeNull();
        exitCode.ShouldBe(0);
        _output.ToString().ShouldMatch(@"^meshl4-proxy \d+\.\d+\.\d+\s*$");
    }
}
