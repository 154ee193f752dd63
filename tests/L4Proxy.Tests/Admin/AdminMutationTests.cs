using System.Net;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Admin;

public sealed class AdminMutationTests : AdminFixture
{
    protected override bool EnableQuit => true;

    [Theory]
    [InlineData("/quitquitquit")]
    [InlineData("/drain_listeners")]
    [InlineData("/logging?level=debug")]
    public async Task Get_OnMutation_Is400AndChangesNothing(string path)
    {
        (await GetAsync(path)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);

        Quits.ShouldBe(0);
        Drained.ShouldBeNull();
        Levels.All.ShouldAllBe(static c => c.Value == LogLevel.Information);
    }

    [Theory]
    [InlineData("evil.example", null)]
    [InlineData("localhost.evil.example", null)]
    [InlineData("10.9.9.9:15000", null)]
    [InlineData("127.0.0.1.evil.example", null)]
    [InlineData(null, "http://evil.example")]
    [InlineData("localhost", "null")]
    [InlineData("localhost", "http://localhost")]
    public async Task Post_ForeignHostOrAnyOrigin_Is403AndChangesNothing(string? host, string? origin)
    {
        foreach (string path in (string[])["/quitquitquit", "/drain_listeners", "/logging?level=debug", "/stats"])
        {
            (await PostAsync(path, host, origin)).StatusCode.ShouldBe(HttpStatusCode.Forbidden, path);
        }

        Quits.ShouldBe(0);
        Drained.ShouldBeNull();
        Levels.All.ShouldAllBe(static c => c.Value == LogLevel.Information);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("localhost")]
    [InlineData("LocalHost:15000")]
    [InlineData("127.0.0.1:15000")]
    [InlineData("[::1]:15000")]
    public async Task Quit_Enabled_QuitsOnce(string? host)
    {
        (await PostAsync("/quitquitquit", host)).StatusCode.ShouldBe(HttpStatusCode.OK);

        await Reporting.Eventually.BecomesTrue(() => Volatile.Read(ref Quits) == 1);
    }

    [Fact]
    public async Task DrainListeners_Parameters_AreTaken()
    {
        (await PostAsync("/drain_listeners?inboundonly&graceful")).StatusCode.ShouldBe(HttpStatusCode.OK);

        Drained.ShouldBe(new(InboundOnly: true, Graceful: true, SkipExit: false));
        (await PostAsync("/drain_listeners?skip_exit")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Logging_NoParameter_Lists() =>
        (await (await PostAsync("/logging")).Content.ReadAsStringAsync())
            .ShouldBe("active loggers:\n  admin: info\n  config: info\n  main: info\n  upstream: info\n");

    [Fact]
    public async Task Logging_LevelNameAndPaths_Set()
    {
        await PostAsync("/logging?level=error");
        await PostAsync("/logging?config=debug");
        string text = await (await PostAsync("/logging?paths=main:off,upstream:trace")).Content.ReadAsStringAsync();

        text.ShouldBe("active loggers:\n  admin: error\n  config: debug\n  main: off\n  upstream: trace\n");
    }

    [Theory]
    [InlineData("/logging?level=loud")]
    [InlineData("/logging?nowhere=debug")]
    [InlineData("/logging?paths=main:debug,nowhere:debug")]
    [InlineData("/logging?level=debug&main=debug")]
    public async Task Logging_Wrong_Is400AndChangesNothing(string path)
    {
        (await PostAsync(path)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);

        Levels.All.ShouldAllBe(static c => c.Value == LogLevel.Information);
    }
}

public sealed class AdminQuitDisabledTests : AdminFixture
{
    [Fact]
    public async Task Quit_NotEnabled_Is403()
    {
        (await PostAsync("/quitquitquit")).StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        Quits.ShouldBe(0);
    }
}
