using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Clusters;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>Names whose servers do not answer take threads of their own, and not more than so many.</summary>
public sealed class NameLookupsTests : IDisposable
{
    private readonly ManualResetEventSlim _answers = new();
    private readonly ConcurrentQueue<(string Host, bool Pool)> _asked = new();

    public void Dispose() => _answers.Dispose();

    [Fact]
    public async Task ManyNamesWithoutAnswer_TakeNoThreadOfThePool_AndABoundedNumber()
    {
        var lookups = new NameLookups(Ask);
        Task<IPAddress[]>[] all = [.. Enumerable.Range(0, 200).Select(i => lookups.AskAsync("n" + i, default))];
        await Patience.UntilAsync(() => _asked.Count == NameLookups.MostThreads, "as many as may are asked");
        _answers.Set();
        (await Task.WhenAll(all).WaitAsync(Patience.Limit)).Length.ShouldBe(200);
        _asked.Count.ShouldBe(200);
        _asked.ShouldNotContain(static one => one.Pool);
    }

    [Fact]
    public async Task NewName_GoesBeforeThoseAskedBefore_AndNobodyAsksForWhatIsCancelled()
    {
        // One thread alone goes on at first: of several that go on at once nobody knows which tells first what it took.
        using var one = new ManualResetEventSlim();
        var lookups = new NameLookups(host => Ask(host, host == "busy0" ? one : _answers));
        _answers.Set();
        await lookups.AskAsync("old", default).WaitAsync(Patience.Limit);
        _answers.Reset();
        _asked.Clear();
        Task[] busy = [.. Enumerable.Range(0, NameLookups.MostThreads).Select(i => lookups.AskAsync("busy" + i, default))];
        await Patience.UntilAsync(() => _asked.Count == NameLookups.MostThreads, "all threads are busy");
        using var stop = new CancellationTokenSource();
        Task<IPAddress[]> cancelled = lookups.AskAsync("cancelled", stop.Token);
        Task<IPAddress[]>[] old = [.. Enumerable.Range(0, 50).Select(_ => lookups.AskAsync("old", default))];
        Task<IPAddress[]> fresh = lookups.AskAsync("fresh", default);
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => cancelled.WaitAsync(Patience.Limit));
        one.Set();
        await Patience.UntilAsync(() => _asked.Count > NameLookups.MostThreads, "the next is asked");
        _asked.Skip(NameLookups.MostThreads).ShouldHaveSingleItem().Host.ShouldBe("fresh");
        _answers.Set();
        await Task.WhenAll([.. busy, .. old, fresh]).WaitAsync(Patience.Limit);
        _asked.ShouldNotContain(static one => one.Host == "cancelled");
    }

    [Fact]
    public async Task Failure_IsForWhoAsked_AndTheNextIsAnswered()
    {
        var lookups = new NameLookups(static host => host == "bad" ? throw new SocketException(11) : [IPAddress.Loopback]);
        await Should.ThrowAsync<SocketException>(() => lookups.AskAsync("bad", default).WaitAsync(Patience.Limit));
        (await lookups.AskAsync("good", default).WaitAsync(Patience.Limit)).ShouldBe([IPAddress.Loopback]);
    }

    [Fact]
    public async Task NamesThatFailed_TakeHalfOfTheThreads_AndOthersAreAskedMeanwhile()
    {
        using var dead = new ManualResetEventSlim(true);
        using var limit = new CancellationTokenSource(Patience.Limit);
        var lookups = new NameLookups(host =>
        {
            if (!host.StartsWith("dead", StringComparison.Ordinal))
            {
                return [IPAddress.Loopback];
            }

            dead.Wait(limit.Token);
            throw new SocketException(11);
        });
        await lookups.AskAsync("good", default).WaitAsync(Patience.Limit);
        Task[] Dead() => [.. Enumerable.Range(0, 3 * NameLookups.MostThreads).Select(i => Should.ThrowAsync<SocketException>(() => lookups.AskAsync("dead" + i, default)))];
        await Task.WhenAll(Dead()).WaitAsync(Patience.Limit);
        dead.Reset();
        Task[] again = Dead();

        (await lookups.AskAsync("good", default).WaitAsync(Patience.Limit)).ShouldBe([IPAddress.Loopback]);
        again.ShouldAllBe(static one => !one.IsCompleted);
        dead.Set();
        await Task.WhenAll(again).WaitAsync(Patience.Limit);
    }

    /// <summary>A process at its limit of threads: one of the pool answers, and the next names get threads of their own again.</summary>
    [Fact]
    public async Task NoThreadIsLeft_OneOfThePoolAsks_UntilThereAreSome()
    {
        int left = 0;
        var lookups = new NameLookups(Ask, work =>
        {
            if (Interlocked.Decrement(ref left) < 0)
            {
                throw new OutOfMemoryException();
            }

            new Thread(work) { IsBackground = true }.Start();
        });
        Task[] all = [.. Enumerable.Range(0, 5).Select(i => lookups.AskAsync("n" + i, default))];
        await Patience.UntilAsync(() => _asked.Count == 1, "one is asked for");
        _asked.ShouldHaveSingleItem().Pool.ShouldBeTrue("nobody else is there to ask");
        Volatile.Write(ref left, 1);
        Task own = lookups.AskAsync("own", default);
        await Patience.UntilAsync(() => _asked.Count == 2, "a thread of its own");
        _asked.Last().Pool.ShouldBeFalse();
        _answers.Set();
        await Task.WhenAll([.. all, own]).WaitAsync(Patience.Limit);
        _asked.Count.ShouldBe(6);
    }

    private IPAddress[] Ask(string host) => Ask(host, _answers);

    private IPAddress[] Ask(string host, ManualResetEventSlim answers)
    {
        _asked.Enqueue((host, Thread.CurrentThread.IsThreadPoolThread));
        answers.Wait(Patience.Limit);
        return [IPAddress.Loopback];
    }
}
