using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config;
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

public sealed class ListenerOpeningTests : IDisposable
{
    private readonly LoopFixture _first = new();
    private readonly LoopFixture _second = new();
    private readonly SnapshotStore _store = new();
    private readonly LogSinks _sinks = new();
    private readonly LoopGuard _guard = new();
    private readonly ListenerOpening _opening;
    private readonly string _folder = Directory.CreateTempSubdirectory("meshl4-test-").FullName;
    private readonly List<BoundSockets> _open = [];

    public ListenerOpeningTests() => _opening = new ListenerOpening(
        [new LoopWorker(_first.Loop), new LoopWorker(_second.Loop)],
        static _ => ValueTask.CompletedTask,
        _store,
        new UdpServices(_store, new ConnectionReporter(_store, _sinks), _guard, new ConnectionGate(10)));

    public void Dispose()
    {
        _open.ForEach(static bound => Close(bound));
        _first.Dispose();
        _second.Dispose();
        _sinks.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public void Open_ReusePort_DecidesWhetherTheAddressIsShared(bool reusePort, bool udp)
    {
        ListenerSnapshot listener = Listener(new IPEndPoint(IPAddress.Loopback, 0), udp) with { ReusePort = reusePort };
        BoundSockets bound = Open(listener);
        bound.Sockets.Count.ShouldBe(reusePort ? 2 : 1);
        ListenerSnapshot again = listener with { Address = bound.Address, ReusePort = true };
        if (reusePort)
        {
            Open(again).Address.ShouldBe(bound.Address);
        }
        else
        {
            Should.Throw<IOException>(() => Open(again)).Message.ShouldContain("in use");
        }
    }

    [Fact]
    public void Open_UnixPathOfADeadProcess_IsTaken()
    {
        var address = new UnixDomainSocketEndPoint(Path.Combine(_folder, "s"));
        Close(Open(Listener(address, udp: false)));
        _open.Clear();
        File.Exists(address.ToString()).ShouldBeTrue("nothing stale to begin with");
        Open(Listener(address, udp: false));
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(address);
    }

    [Fact]
    public void Open_UnixPathOfALiveServer_IsLeft()
    {
        var address = new UnixDomainSocketEndPoint(Path.Combine(_folder, "s"));
        using var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        server.Bind(address);
        server.Listen(4);
        Should.Throw<IOException>(() => Open(Listener(address, udp: false))).Message.ShouldContain("in use");
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(address);
    }

    [Fact]
    public void Open_UnixPathOfAFileThatIsNoSocket_IsLeft()
    {
        string path = Path.Combine(_folder, "s");
        File.WriteAllText(path, "precious");
        Should.Throw<IOException>(() => Open(Listener(new UnixDomainSocketEndPoint(path), udp: false)));
        File.CreateSymbolicLink(path + "link", path);
        Should.Throw<IOException>(() => Open(Listener(new UnixDomainSocketEndPoint(path + "link"), udp: false)));
        File.ReadAllText(path).ShouldBe("precious");
    }

    [Fact]
    public async Task Apply_AddressTaken_IsToldTriedAgainAndOpenedWhenFree()
    {
        var ledger = new ConfigLedger(TimeProvider.System);
        using ListenerSet set = new(_opening, _guard, NullLogger.Instance);
        int tries = 0;
        set.Tried += failures =>
        {
            Interlocked.Increment(ref tries);
            ledger.RecordBinding(failures);
        };
        using (var holder = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            // Nobody else takes it in between.
            holder.Bind(new IPEndPoint(IPAddress.Loopback, FreePorts.Next()));
            holder.Listen(1);
            set.Apply(new ProxySnapshot { Listeners = [Listener(holder.LocalEndPoint!, udp: false)] });
            set.Open.ShouldBeEmpty();
            ListenerFailure failure = set.Failures.ShouldHaveSingleItem();
            failure.Resource.ShouldBe("l");
            failure.Reason.ShouldContain("listener l: bind 127.0.0.1:");
            await _first.UntilAsync(() => Volatile.Read(ref tries) > 2, "it is tried again");
            set.Failures.Count.ShouldBe(1);
        }

        await _first.UntilAsync(() => set.Failures.Count == 0, "it opens");
        set.Open.ShouldHaveSingleItem().Name.ShouldBe("l");
        set.Stop();
    }

    [Fact]
    public void Apply_DualStackAndUdp_AreTheGuardsAsTheyAre()
    {
        using ListenerSet set = new(_opening, _guard, NullLogger.Instance);
        set.Apply(new ProxySnapshot
        {
            Listeners =
            [
                Listener(new IPEndPoint(IPAddress.IPv6Any, 0), udp: false) with { IsDualStack = true },
                Listener(new IPEndPoint(IPAddress.Loopback, 0), udp: true) with { Name = "u" },
            ],
        });
        int tcp = ((IPEndPoint)set.Open.Single(static l => l.Name == "l").Address).Port;
        int udp = ((IPEndPoint)set.Open.Single(static l => l.Name == "u").Address).Port;
        _guard.IsOwnListener(ProtocolType.Tcp, new IPEndPoint(IPAddress.Loopback, tcp)).ShouldBeTrue();
        _guard.IsOwnListener(ProtocolType.Tcp, new IPEndPoint(IPAddress.IPv6Loopback, tcp)).ShouldBeTrue();
        _guard.IsOwnListener(ProtocolType.Udp, new IPEndPoint(IPAddress.Loopback, udp)).ShouldBeTrue();
        _guard.IsOwnListener(ProtocolType.Tcp, new IPEndPoint(IPAddress.Loopback, udp)).ShouldBe(udp == tcp);
        set.Stop();
    }

    private static ListenerSnapshot Listener(EndPoint address, bool udp) => new()
    {
        Name = "l",
        Address = address,
        IsUdp = udp,
        Udp = udp ? new UdpProxySnapshot { Cluster = "c" } : null,
    };

    private static void Close(BoundSockets bound)
    {
        foreach (ILoopListener socket in bound.Sockets)
        {
            socket.Loop.InvokeAsync(() =>
            {
                socket.Close();
                return 0;
            }).Wait(Patience.Limit);
        }
    }

    private BoundSockets Open(ListenerSnapshot listener)
    {
        BoundSockets bound = _opening.Open(listener);
        _open.Add(bound);
        return bound;
    }
}
