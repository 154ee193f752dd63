using MeshL4.Load.Measuring;
using Shouldly;
using Xunit;

namespace MeshL4.Load.Tests;

public class ChildProcessTests
{
    [Fact]
    public async Task Dispose_ProcessThatIgnoresTerm_EndedAllTheSame()
    {
        var child = ChildProcess.Start("sh", "-c", "trap '' TERM; while :; do sleep 1; done");
        var pid = child.Pid;

        await child.DisposeAsync();

        Directory.Exists($"/proc/{pid}").ShouldBeFalse();
    }

    [Fact]
    public async Task RunAsync_ToolFails_VoidsTheRunWithItsWords()
    {
        var run = ChildProcess.RunAsync("sh", ["-c", "echo out of luck >&2; exit 3"], TimeSpan.FromSeconds(30), CancellationToken.None);

        (await Should.ThrowAsync<VoidRunException>(run)).Message.ShouldBe("sh ended with 3: out of luck");
    }

    [Fact]
    public async Task RunAsync_ToolHangs_EndedAtTheLimit()
    {
        var run = ChildProcess.RunAsync("sleep", ["600"], TimeSpan.FromMilliseconds(50), CancellationToken.None);

        (await Should.ThrowAsync<VoidRunException>(run)).Message.ShouldContain("did not end within");
    }

    [Fact]
    public void Start_NoSuchProgram_VoidsTheRun() =>
        Should.Throw<VoidRunException>(() => ChildProcess.Start("no-such-program-here")).Message.ShouldContain("no-such-program-here");
}
