using System.Diagnostics;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Reporting;

public sealed class LogSinkTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("meshl4-log").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Dispose_LinesHeld_WritesThemAllInOrder()
    {
        string path = Path.Combine(_folder, "a.log");
        File.WriteAllText(path, "before\n");
        LogSink sink = new(path);
        for (int i = 0; i < 10_000; i++)
        {
            sink.TryAppend(System.Text.Encoding.UTF8.GetBytes($"line {i}\n")).ShouldBeTrue();
        }

        await Eventually.HoldsAfterDispose(sink, () => sink.Written == 10_000);
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
    public async Task TryAppend_DiskFull_CountsTheLoss()
    {
        LogSink sink = new("/dev/full");
        sink.TryAppend("one\n"u8).ShouldBeTrue();
        sink.TryAppend("two\n"u8).ShouldBeTrue();

        await Eventually.HoldsAfterDispose(sink, () => sink.Dropped == 2 && sink.FailedWrites > 0);
        sink.Written.ShouldBe(0);
    }

    [Fact]
    public async Task Dispose_FolderMissing_CountsTheLoss()
    {
        LogSink sink = new(Path.Combine(_folder, "none", "c.log"));
        sink.TryAppend("one\n"u8);

        await Eventually.HoldsAfterDispose(sink, () => sink.Dropped == 1);
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

    /// <summary>Disposes of a log sink, or of sinks that have one, and demands what its writer brings about: at once, but where Dispose took
    /// so long that it may have given up waiting for the writer.</summary>
    public static async Task HoldsAfterDispose(IDisposable sink, Func<bool> condition)
    {
        long start = Stopwatch.GetTimestamp();
        sink.Dispose();

        // It gives up after two seconds; clocks differ by less than the rest.
        if (Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1.5))
        {
            condition().ShouldBeTrue("Dispose did not wait for the writer");
            return;
        }

        await BecomesTrue(condition);
    }
}
