using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using MeshL4.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Listening;

public sealed class ListenerSetTests : IDisposable
{
    private readonly LoopFixture _loop = new();
    private readonly SnapshotStore _store = new();
    private readonly LogSinks _sinks = new();
    private readonly LoopGuard _guard = new();

    // Nobody else takes the port in between.
    private readonly TcpListener _holder = new(IPAddress.Loopback, FreePorts.Next());
    private readonly ListenerSet _listeners;

    public ListenerSetTests()
    {
        _holder.Start();
        var udp = new UdpServices(_store, new ConnectionReporter(_store, _sinks), _guard, new ConnectionGate(10));
        _listeners = new ListenerSet(new ListenerOpening([new LoopWorker(_loop.Loop)], static _ => ValueTask.CompletedTask, _store, udp), _guard, NullLogger.Instance);
    }

    public void Dispose()
    {
        _listeners.Stop();
        _listeners.Dispose();
        _holder.Dispose();
        _loop.Dispose();
        _sinks.Dispose();
    }

    [Fact]
    public async Task Apply_SameListeners_VisitsNone_AlsoWhileOneCannotBeOpened_AndThatOneOpensWhenItCan()
    {
        int tries = 0, self = Environment.CurrentManagedThreadId;
        _listeners.Tried += _ => tries += Environment.CurrentManagedThreadId == self ? 1 : 0;
        var snapshot = new ProxySnapshot { Listeners = [Listener("free", 0), Listener("held", ((IPEndPoint)_holder.LocalEndpoint).Port)] };
        _listeners.Apply(snapshot);
        _listeners.Failures.ShouldHaveSingleItem().Resource.ShouldBe("held");
        tries.ShouldBe(1);
        _listeners.Apply(snapshot with { Version = 2 });
        tries.ShouldBe(1, "an update of endpoints is none of the listeners' business; the retry comes from a timer, on another thread");

        _holder.Stop();
        await Patience.UntilAsync(() => _listeners.Failures.Count == 0, "the listener opens");
        _listeners.Open.Count.ShouldBe(2);
    }

    private static ListenerSnapshot Listener(string name, int port) => new() { Name = name, Address = new IPEndPoint(IPAddress.Loopback, port) };
}
