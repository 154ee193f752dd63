using MeshL4.L4Proxy.Reporting.AccessLogging;
using MeshL4.L4Proxy.Reporting.Logging;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Reporting;

public sealed class ProcessLogTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, 123, TimeSpan.Zero);

    [Fact]
    public void Make_Message_HasEnvoysShape() =>
        LogLine.Make(Noon, LogLevel.Information, "config", "taken", colour: false)
            .ShouldBe($"[2026-11-21 12:00:00.123][{Environment.ProcessId}][info][config] taken\n");

    [Fact]
    public void Make_HostileMessage_StaysOneLineWithoutControls()
    {
        string line = LogLine.Make(Noon, LogLevel.Warning, "config", "a\r\n[fake]\u001b[31m\u0085\u2028\"q\"", colour: false);

        line.ShouldEndWith("] a\\r\\n[fake]\\u001b[31m\\u0085\\u2028\"q\"\n");
    }

    [Fact]
    public void Make_EndlessMessage_IsCut() =>
        LogLine.Make(Noon, LogLevel.Warning, "config", new string('x', 1 << 20), colour: false).Length.ShouldBeLessThan(LogLine.MaxMessage + 200);

    [Theory]
    [InlineData("MeshL4.L4Proxy.Config.Xds.FileWatcher", "config")]
    [InlineData("Microsoft.AspNetCore.Server.Kestrel", "admin")]
    [InlineData("Upstream", "upstream")]
    public void ComponentOf_Category_IsShort(string category, string component) =>
        ProxyLoggerFactory.ComponentOf(category).ShouldBe(component);

    [Fact]
    public async Task Log_LevelChangedWhileRunning_TakesEffect()
    {
        string path = Path.GetTempFileName();
        LogLevels levels = new();
        LogSink sink = new(path);
        ILogger logger = new ProxyLoggerFactory(levels, sink, colour: false).CreateLogger("config");
        logger.LogDebug("one");
        levels.TrySet("config", LogLevel.Debug).ShouldBeTrue();
        logger.LogDebug("two");
        levels.TrySet("config", LogLevel.None).ShouldBeTrue();
        logger.LogCritical("three");
        await Eventually.HoldsAfterDispose(sink, () => sink.Written > 0);
        File.ReadAllText(path).ShouldMatch(@"^\[[^\n]*\]\[debug\]\[config\] two\n$");
        File.Delete(path);
    }

    [Theory]
    [InlineData("main:debug,new:trace", true)]
    [InlineData("main", false)]
    [InlineData("main:loud", false)]
    [InlineData(":debug", false)]
    public void TryApply_AtStart_TakesNewNamesAndRefusesWrongOnes(string list, bool good) =>
        new LogLevels().TryApply(list, create: true, out _).ShouldBe(good);
}
