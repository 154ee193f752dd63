using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Resolving;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>When the name of a cluster is resolved again.</summary>
public sealed class DnsRefreshTests
{
    private static readonly TimeSpan Rate = TimeSpan.FromSeconds(60);
    private static readonly DnsFailureRefresh Failure = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4));

    [Theory]
    [InlineData(false, 7, 60)]
    [InlineData(true, 7, 7)]
    [InlineData(true, 600, 600)]
    [InlineData(true, 0, 60)]
    [InlineData(true, -1, 60)]
    public void AfterAnswer_IsTheTimeToLive_WhereItIsRespectedAndKnown(bool respects, int life, int wait)
        => new DnsRefresh(Rate, respects, null).AfterAnswer(life < 0 ? null : TimeSpan.FromSeconds(life), 0.5).ShouldBe(TimeSpan.FromSeconds(wait));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.5, 10)]
    public void AfterAnswer_JitterIsAdded_ToTheTimeToLiveToo(double random, int more)
    {
        var refresh = new DnsRefresh(Rate, true, Failure) { Jitter = TimeSpan.FromSeconds(20) };
        refresh.AfterAnswer(null, random).ShouldBe(Rate + TimeSpan.FromSeconds(more));
        refresh.AfterAnswer(TimeSpan.FromSeconds(7), random).ShouldBe(TimeSpan.FromSeconds(7 + more));
        refresh.AfterFailure(1, 0.5).TotalSeconds.ShouldBe(0.5, "a failure has a random wait of its own");
    }

    [Fact]
    public async Task Jitter_IsAnotherWithEachAnswer()
    {
        var waits = new ConcurrentQueue<TimeSpan>();
        var jitter = TimeSpan.FromSeconds(20);
        using var names = new DnsResolution(
            static (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]),
            static () => { },
            static (_, _) => { },
            null,
            (wait, stop) =>
            {
                waits.Enqueue(wait);
                return waits.Count < 20 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, stop);
            });
        names.Follow([Cluster(new DnsRefresh(Rate, false, null) { Jitter = jitter })]);
        await Patience.UntilAsync(() => waits.Count == 20, "twenty waits");
        waits.ShouldAllBe(wait => wait >= Rate && wait < Rate + jitter);
        waits.Distinct().Count().ShouldBeGreaterThan(1);
    }

    [Fact]
    public void AfterFailure_IsTheRate_OrGrowsToItsBound()
    {
        new DnsRefresh(Rate, true, null).AfterFailure(3, 0.5).ShouldBe(Rate);
        var refresh = new DnsRefresh(Rate, true, Failure);
        Enumerable.Range(1, 5).Select(failures => refresh.AfterFailure(failures, 0.5).TotalSeconds).ShouldBe([0.5, 1, 2, 2, 2]);
        refresh.AfterFailure(1_000_000, 0.5).TotalSeconds.ShouldBe(2);
    }

    [Fact]
    public async Task Name_IsLookedAtAgainAsItsClustersSay_TheSoonestFirst()
    {
        var waits = new ConcurrentQueue<TimeSpan>();
        var look = new SemaphoreSlim(0);
        bool fails = false;
        using var names = new DnsResolution(
            (_, _) => fails ? Task.FromException<IPAddress[]>(new SocketException((int)SocketError.HostNotFound)) : Task.FromResult<IPAddress[]>([IPAddress.Loopback]),
            static () => { },
            static (_, _) => { },
            (_, _, _, _) => Task.FromResult<AddressLife?>(new AddressLife(TimeSpan.FromSeconds(30), [IPAddress.Loopback])),
            async (wait, stop) =>
            {
                waits.Enqueue(wait);
                await look.WaitAsync(stop);
            });
        names.Follow([Cluster(new DnsRefresh(Rate, false, null))]);
        await WaitsAsync(1);
        names.Follow([Cluster(new DnsRefresh(Rate, false, null)), Cluster(new DnsRefresh(Rate, true, Failure))]);
        await WaitsAsync(2); // The wait that ran was not let end by this test: what is said now counts now.
        fails = true;
        for (int i = 3; i <= 5; i++)
        {
            look.Release();
            await WaitsAsync(i);
        }

        waits.Take(2).ShouldBe([Rate, TimeSpan.FromSeconds(30)]);
        waits.Skip(2).ShouldAllBe(wait => wait < Failure.Longest);
        names.Lookup("name.example", DnsLookupFamily.Auto).ShouldBe([IPAddress.Loopback], "the last good addresses stay");

        Task WaitsAsync(int count) => Patience.UntilAsync(() => waits.Count == count, $"{count} waits");
    }

    [Fact]
    public async Task AddressesFromElsewhere_AreLookedAtAtTheRate_AndTheNameThatAnsweredIsAskedNext()
    {
        var waits = new ConcurrentQueue<TimeSpan>();
        var before = new ConcurrentQueue<string?>();
        var look = new SemaphoreSlim(0);
        IPAddress[] given = [IPAddress.Parse("10.0.0.1"), IPAddress.IPv6Loopback];
        using var names = new DnsResolution(
            (_, _) => Task.FromResult(given),
            static () => { },
            static (_, _) => { },
            (_, _, last, _) =>
            {
                before.Enqueue(last);
                return Task.FromResult<AddressLife?>(new AddressLife(TimeSpan.FromSeconds(30), [IPAddress.Loopback, IPAddress.IPv6Any]) { Name = "name.example.svc" });
            },
            async (wait, stop) =>
            {
                waits.Enqueue(wait);
                await look.WaitAsync(stop);
            });
        names.Follow([Cluster(new DnsRefresh(Rate, true, null))]);
        await Patience.UntilAsync(() => waits.Count == 1, "a wait");
        given = [IPAddress.Parse("10.0.0.1"), IPAddress.Loopback];
        look.Release();
        await Patience.UntilAsync(() => waits.Count == 2, "two waits");
        waits.ShouldBe([Rate, TimeSpan.FromSeconds(30)]);
        before.ShouldBe([null, "name.example.svc"]);
    }

    private static ClusterSnapshot Cluster(DnsRefresh refresh) => new()
    {
        Name = "c", DnsTargets = [new DnsTargetSnapshot("name.example", 80, 1)], DnsRefresh = refresh, State = new ClusterStateRegistry().Get("c"),
    };
}
