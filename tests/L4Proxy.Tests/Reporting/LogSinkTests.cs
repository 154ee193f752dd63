using MeshL4.L4Proxy.Reporting.AccessLogging;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Reporting;

public sealed class LogSinkTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("meshl4-log").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Dispose_LinesHeld_WritesThemAllInOrder()
    {
        string path = Path.Combine(_folder, "a.log");
        File.WriteAllText(path, "before\n");
        using (LogSink sink = new(path))
        {
            for (int i = 0; i < 10_000; i++)
            {
                sink.TryAppend(System.Text.Encoding.UTF8.GetBytes($"line {i}\n")).ShouldBeTrue();
            }
        }

        File.ReadAllLines(path).ShouldBe(["before", .. Enumerable.Range(0, 10_000).Select(static i => $"line {i}")]);
    }

    [Fact]
    public void TryAppend_BufferFull_DropsAndCountsWithoutWaiting()
    {
        using LogSink sink = new(Path.Combine(_folder, "b.log"), capacityBytes: 64);

        sink.TryAppend(new byte[65]).ShouldBeFalse();

        sink.Dropped.ShouldBe(1);
    }

    [Fact]
    public void TryAppend_DiskFull_CountsTheLoss()
    {
        LogSink sink = new("/dev/full");
        sink.TryAppend("one\n"u8).ShouldBeTrue();
        sink.TryAppend("two\n"u8).ShouldBeTrue();
        sink.Dispose();

        sink.Dropped.ShouldBe(2);
        sink.Written.ShouldBe(0);
        sink.FailedWrites.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void Dispose_FolderMissing_CountsTheLoss()
    {
        LogSink sink = new(Path.Combine(_folder, "none", "c.log"));
        sink.TryAppend("one\n"u8);
        sink.Dispose();

        sink.Dropped.ShouldBe(1);
    }

    [Fact]
    public async Task Reopen_AfterRename_WritesToANewFile()
    {
        string path = Path.Combine(_folder, "d.log");
        using LogSink sink = new(path);
        sink.TryAppend("old\n"u8);
        await Eventually.BecomesTrue(() => sink.Written == 1);

        File.Move(path, path + ".1");
        sink.Reopen();
        sink.TryAppend("new\n"u8);
        await Eventually.BecomesTrue(() => sink.Written == 2);

        File.ReadAllText(path + ".1").ShouldBe("old\n");
        File.ReadAllText(path).ShouldBe("new\n");
    }

    [Fact]
    public async Task TryAppend_FileTruncatedByRotation_LeavesNoHole()
    {
        string path = Path.Combine(_folder, "e.log");
        using LogSink sink = new(path);
        sink.TryAppend("old old old\n"u8);
        await Eventually.BecomesTrue(() => sink.Written == 1);

        File.WriteAllText(path, "");
        sink.TryAppend("new\n"u8);
        await Eventually.BecomesTrue(() => sink.Written == 2);

        File.ReadAllText(path).ShouldBe("new\n");
    }
}

/// <summary>Waits for a condition that another thread brings about; gives up after a time no healthy run needs.</summary>
internal static class Eventually
{
    public static async Task BecomesTrue(Func<bool> condition)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await Task.Delay(5, limit.Token);
        }
    }
}
