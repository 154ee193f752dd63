using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using MeshL4.L4Proxy.Sockets;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Listening;

public sealed class UdpListenerTests : IDisposable
{
    private readonly LoopFixture _fixture = new();
    private readonly Socket _upstream = Bound();
    private readonly SnapshotStore _store = new();
    private readonly LogSinks _sinks = new();
    private readonly ConnectionReporter _reporter;
    private readonly ClusterState _state = new("c");
    private UdpListener? _listener;

    public UdpListenerTests() => _reporter = new ConnectionReporter(_store, _sinks);

    private long Open => _reporter.Counters.Listener(_listener!.Listener).Active;

    public void Dispose()
    {
        _fixture.OnAsync(() => _listener?.Close()).Wait(Patience.Limit);
        _state.ActiveConnections.ShouldBe(0);
        _upstream.Dispose();
        _fixture.Dispose();
        _sinks.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1472)]
    [InlineData(1500)]
    [InlineData(24001)]
    [InlineData(65507)]
    public async Task Forward_DatagramOfSize_PassesWholeBothWays(int size)
    {
        using Socket client = await ListenAsync();
        byte[] sent = SocketPair.Noise(size);
        (await AskAsync(client, sent)).ShouldBe(sent);
        Open.ShouldBe(1);
    }

    [Fact]
    public async Task Forward_TwoClients_EachGetsItsOwnAnswers()
    {
        using Socket first = await ListenAsync();
        using Socket second = Bound();
        await second.ConnectAsync(first.RemoteEndPoint!);
        (await AskAsync(first, [1])).ShouldBe([1]);
        (await AskAsync(second, [2])).ShouldBe([2]);
        (await AskAsync(first, [3])).ShouldBe([3]);
        Open.ShouldBe(2);
        _state.ActiveConnections.ShouldBe(2);
    }

    [Fact]
    public async Task Session_Idle_EndsAndIsRecordedOnce()
    {
        // Long enough for an answer on a busy machine: what comes after the end is nobody's.
        using Socket client = await ListenAsync(idle: TimeSpan.FromSeconds(8));
        (await AskAsync(client, [1])).ShouldBe([1]);
        await _fixture.UntilAsync(() => Open == 0, "the session ended");
        _state.ActiveConnections.ShouldBe(0);
        (await AskAsync(client, [2])).ShouldBe([2]);
    }

    [Fact]
    public async Task Forward_NobodyAtUpstream_EndsTheSession()
    {
        using Socket client = await ListenAsync();
        _upstream.Dispose();
        await client.SendAsync(new byte[1]);
        await _fixture.UntilAsync(() => _state.Counters.CxTotal == 1 && Open == 0, "the session ended");
        _state.ActiveConnections.ShouldBe(0);
    }

    [Fact]
    public async Task Forward_CircuitBreakerFull_DropsAndCounts()
    {
        using Socket first = await ListenAsync(maxSessions: 1);
        using Socket second = Bound();
        await second.ConnectAsync(first.RemoteEndPoint!);
        (await AskAsync(first, [1])).ShouldBe([1]);
        await second.SendAsync(new byte[1]);
        await _fixture.UntilAsync(() => _listener!.Counters.Dropped == 1, "the datagram was dropped");
        _state.Counters.CxOverflow.ShouldBe(1);
        Open.ShouldBe(1);
        (await AskAsync(first, [2])).ShouldBe([2]);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.8.8.8")]
    public async Task Reply_ListenerOnAllAddresses_ComesFromTheAddressThatWasAsked(string address)
    {
        using Socket any = await ListenAsync(on: IPAddress.Any);
        using Socket client = Bound();

        // Connected: the kernel gives it no datagram from another address.
        await client.ConnectAsync(IPAddress.Parse(address), ((IPEndPoint)any.RemoteEndPoint!).Port);
        (await AskAsync(client, [1])).ShouldBe([1]);
    }

    [Fact]
    public async Task Session_OneClientTwoLocalAddresses_AreTwoSessions()
    {
        using Socket any = await ListenAsync(on: IPAddress.Any);
        int port = ((IPEndPoint)any.RemoteEndPoint!).Port;
        using Socket client = Bound();
        await client.ConnectAsync(IPAddress.Loopback, port);
        (await AskAsync(client, [1])).ShouldBe([1]);
        await client.ConnectAsync(IPAddress.Parse("127.0.0.9"), port);
        (await AskAsync(client, [2])).ShouldBe([2]);
        Open.ShouldBe(2);
    }

    [Fact]
    public async Task Receive_ControlMessagesCut_DropsTheDatagramAndCounts()
    {
        using Socket any = await ListenAsync(on: IPAddress.Any);
        using Socket client = Bound();
        await client.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)any.RemoteEndPoint!).Port);
        await _fixture.OnAsync(() => _listener!.ControlCapacity = 8);
        await client.SendAsync(new byte[1]);
        await _fixture.UntilAsync(() => _listener!.Counters.DestinationUnknown == 1, "the datagram was dropped");
        Open.ShouldBe(0);
        await _fixture.OnAsync(() => _listener!.ControlCapacity = 256);
        (await AskAsync(client, [2])).ShouldBe([2]);
    }

    [Fact]
    public async Task Session_OverTheProcessLimit_IsRefusedAndCounted()
    {
        using Socket first = await ListenAsync(processSessions: 1);
        using Socket second = Bound();
        await second.ConnectAsync(first.RemoteEndPoint!);
        (await AskAsync(first, [1])).ShouldBe([1]);
        await second.SendAsync(new byte[1]);
        await _fixture.UntilAsync(() => _listener!.Counters.NoSession == 1, "the datagram was dropped");
        (await AskAsync(first, [2])).ShouldBe([2]);
    }

    private static Socket Bound()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    /// <summary>Opens the listener; returns a client connected to it.</summary>
    private async Task<Socket> ListenAsync(TimeSpan? idle = null, uint maxSessions = 1024, IPAddress? on = null, int processSessions = 1000)
    {
        EndPoint upstream = _upstream.LocalEndPoint!;
        var cluster = new ClusterSnapshot
        {
            Name = "c",
            State = _state,
            Limits = CircuitBreakerLimits.Default with { MaxConnections = maxSessions },
            Endpoints = [new EndpointSnapshot(upstream, "", 1, EndpointHealth.Healthy, _state.Endpoint(upstream))],
        };
        _store.Swap(new ProxySnapshot { Clusters = new Dictionary<string, ClusterSnapshot> { ["c"] = cluster }.ToImmutableDictionary() });
        var address = new IPEndPoint(on ?? IPAddress.Loopback, 0);
        var listener = new ListenerSnapshot
        {
            Name = "udp",
            Address = address,
            IsUdp = true,
            Udp = new UdpProxySnapshot { Cluster = "c", IdleTimeout = idle ?? TimeSpan.FromHours(1) },
        };
        var services = new UdpServices(_store, _reporter, new LoopGuard(), new ConnectionGate(processSessions));
        IPEndPoint local = await _fixture.OnAsync(() =>
        {
            _listener = UdpListener.Open(new LoopWorker(_fixture.Loop), listener, address, services);
            _listener.Start();
            return SocketTuning.LocalEndPoint(_listener.Fd)!;
        });
        Socket client = Bound();
        await client.ConnectAsync(on is null ? local : new IPEndPoint(IPAddress.Loopback, local.Port));
        return client;
    }

    /// <summary>Sends; the upstream sends the same back; returns what the client received.</summary>
    private async Task<byte[]> AskAsync(Socket client, byte[] question)
    {
        using var patience = new CancellationTokenSource(Patience.Limit);
        byte[] buffer = new byte[65536];
        await client.SendAsync(question, patience.Token);
        SocketReceiveFromResult asked = await _upstream.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), patience.Token);
        await _upstream.SendToAsync(buffer.AsMemory(0, asked.ReceivedBytes), SocketFlags.None, asked.RemoteEndPoint, patience.Token);
        int count = await client.ReceiveAsync(buffer, patience.Token);
        return buffer[..count];
    }
}
