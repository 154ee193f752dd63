using System.Collections.Concurrent;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>A stream is run once, and lives as long as something is wanted of it.</summary>
public sealed class StreamTableTests : IDisposable, IUpdateReceiver
{
    private readonly ManualTime _time = new();
    private readonly ScriptedPlane _plane = new();
    private readonly StreamTable _streams;
    private readonly ConcurrentQueue<CancellationToken> _waits = new();
    private int _disposed;

    public StreamTableTests() => _streams = new StreamTable(static work => work(), _time);

    public void Dispose() => _streams.Dispose();

    [Fact]
    public async Task Stream_NothingIsWantedOf_IsTakenDown_AndComesBackWhenItIsWantedAgain()
    {
        _streams.Start();
        DiscoveryClient client = Get("a");
        client.Find(TypeUrls.Endpoints)!.Want(new HashSet<string> { "x" });
        ScriptedPlane.Stream stream = await _plane.OpenedAsync();
        _time.Advance(StreamTable.Look * 3);
        _streams.Values.ShouldBe([client]);

        client.Find(TypeUrls.Endpoints)!.Want(new HashSet<string>());
        _time.Advance(StreamTable.Look);
        Get("a").ShouldBeSameAs(client, "it may be wanted again soon");
        _time.Advance(StreamTable.Look);
        _streams.Values.ShouldBeEmpty();
        _disposed.ShouldBe(1);
        await Patience.UntilAsync(() => stream.IsDisposed, "the connection is closed");
        Figures.Of(_streams.Departed).Values["control_plane.connection_attempts"].ShouldBe(1, "a sum does not fall");

        Get("a").ShouldNotBeSameAs(client);
        (await _plane.OpenedAsync()).ShouldNotBeSameAs(stream);
    }

    [Fact]
    public async Task Stream_WantedAgainBetweenTwoLooks_Stays()
    {
        _streams.Start();
        DiscoveryClient client = Get("a");
        for (int i = 0; i < 4; i++)
        {
            _time.Advance(StreamTable.Look);
            client.Find(TypeUrls.Endpoints)!.Want(new HashSet<string> { "x" });
            _time.Advance(StreamTable.Look);
            client.Find(TypeUrls.Endpoints)!.Want(new HashSet<string>());
        }

        _streams.Values.ShouldBe([client]);
        (await _plane.OpenedAsync()).IsDisposed.ShouldBeFalse();
    }

    [Fact]
    public async Task Streams_RunOnce_WhoeverComesFirst()
    {
        Parallel.For(0, 8, i =>
        {
            Get("a");
            _streams.Start();
            Get("a");
        });
        await _plane.OpenedAsync();
        Get("b");
        (await _plane.OpenedAsync()).Server.ShouldBe("b", "the other was opened once");
    }

    [Fact]
    public async Task Stream_ThatWasTakenDown_HoldsNothingOfTheTable()
    {
        _streams.Start();
        Get("a");
        (await _plane.OpenedAsync()).Fail("no");
        await Patience.UntilAsync(() => _waits.TryPeek(out _), "it waits before it comes back");
        _waits.TryPeek(out CancellationToken stop).ShouldBeTrue();
        _time.Advance(StreamTable.Look);
        _time.Advance(StreamTable.Look);
        await Patience.UntilAsync(() => IsDisposed(stop), "what stopped it is disposed of");
    }

    [Fact]
    public async Task Table_ThatIsDisposedOf_EndsItsStreams_AndRunsNoOther()
    {
        _streams.Start();
        Get("a");
        ScriptedPlane.Stream stream = await _plane.OpenedAsync();
        _streams.Dispose();
        await Patience.UntilAsync(() => stream.IsDisposed, "the connection is closed");
        _disposed.ShouldBe(1);
        Get("b").Metrics.ShouldNotBeNull();
        await _streams.Ended.WaitAsync(Patience.Limit); // nobody would stop another
        Figures.Of(Get("b").Metrics).Values["control_plane.connection_attempts"].ShouldBe(0);
    }

    private static bool IsDisposed(CancellationToken token)
    {
        try
        {
            return token.WaitHandle is null;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    Received IUpdateReceiver.Receive(DiscoveryUpdate update, Subscription subscription) => new(null, []);

    private DiscoveryClient Get(string source) => _streams.GetOrAdd(source, () => (new DiscoveryClient(
        new DiscoveryClientOptions
        {
            Name = source, Source = source, Method = "/m", Variant = new DeltaVariant(), Servers = [_plane.Server(source)],
            Subscriptions = [new Subscription(TypeUrls.Endpoints)], Node = new Node(), Metrics = new DiscoveryMetrics(),
            Delay = (_, stop) =>
            {
                _waits.Enqueue(stop);
                return Task.Delay(Timeout.Infinite, stop);
            },
        },
        this,
        NullLogger.Instance), new Disposal(() => _disposed++)));

    private sealed class Disposal(Action disposed) : IDisposable
    {
        public void Dispose() => disposed();
    }
}
