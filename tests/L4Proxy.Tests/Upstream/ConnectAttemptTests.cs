using System.Net;
using System.Net.Sockets;
using System.Reflection;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream;
using MeshL4.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Upstream;

public sealed class ConnectAttemptTests : IDisposable
{
    private readonly LoopFixture _fixture = new();
    private readonly LoopGuard _guard = new();
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> _fillers = [];
    private readonly ClusterSnapshot _cluster = new() { Name = "c", State = new ClusterState("c") };

    public ConnectAttemptTests() => _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    private EndPoint Address => _listener.LocalEndPoint!;

    public void Dispose()
    {
        _listener.Dispose();
        _fillers.ForEach(static f => f.Dispose());
        _fixture.Dispose();
    }

    [Fact]
    public async Task Connect_NobodyListens_IsRefusedAndForgotten()
    {
        ConnectResult result = await ConnectAsync(_cluster, null);
        result.Socket.ShouldBeNull();
        result.Error.ShouldBe(Errno.ECONNREFUSED);
        result.TimedOut.ShouldBeFalse();
        result.DownstreamGone.ShouldBeFalse();
    }

    [Fact]
    public async Task Connect_BindAddressGiven_PeerSeesIt()
    {
        _listener.Listen(4);
        ClusterSnapshot bound = _cluster with { BindV4 = new IPEndPoint(IPAddress.Parse("127.0.0.6"), 0) };
        ConnectResult result = await ConnectAsync(bound, null);
        using Socket accepted = await _listener.AcceptAsync();
        var peer = (IPEndPoint)accepted.RemoteEndPoint!;
        peer.Address.ToString().ShouldBe("127.0.0.6");
        result.Local.ShouldBe(peer);
        _guard.IsOwnUpstream(ProtocolType.Tcp, peer, (IPEndPoint)accepted.LocalEndPoint!).ShouldBeTrue();
        await _fixture.OnAsync(() => Close(result, bound));
        _guard.IsOwnUpstream(ProtocolType.Tcp, peer, (IPEndPoint)accepted.LocalEndPoint!).ShouldBeFalse();
    }

    /// <summary>As tcp(7) tells them: SO_KEEPALIVE, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL.</summary>
    [Fact]
    public async Task Connect_KeepaliveAsked_IsOnTheSocket()
    {
        _listener.Listen(4);
        ClusterSnapshot kept = _cluster with { Keepalive = new TcpKeepaliveSnapshot(3, 40, 7) };
        ConnectResult result = await ConnectAsync(kept, null);
        int fd = result.Socket.ShouldNotBeNull().Fd;
        int[] options = [Option(fd, SocketOptions.SolSocket, 9), Option(fd, 6, 6), Option(fd, 6, 4), Option(fd, 6, 5)];
        options.ShouldBe([1, 3, 40, 7]);
        await _fixture.OnAsync(() => Close(result, kept));
    }

    [Fact]
    public async Task Connect_BacklogFull_TimesOut()
    {
        FillBacklog();
        ConnectResult result = await ConnectAsync(_cluster with { ConnectTimeout = TimeSpan.FromMilliseconds(100) }, null);
        result.TimedOut.ShouldBeTrue();
        result.Socket.ShouldBeNull();
        (await _fixture.OnAsync(() => _fixture.Loop.Timers.Armed)).ShouldBe(0);
    }

    [Fact]
    public async Task Connect_ClientResetsMeanwhile_EndsAtOnce()
    {
        FillBacklog();
        using SocketPair client = await SocketPair.OpenAsync(_fixture);
        Task<ConnectResult> connect = ConnectAsync(_cluster with { ConnectTimeout = TimeSpan.FromHours(1) }, client.Near);
        client.ResetFar();
        ConnectResult result = await connect;
        result.DownstreamGone.ShouldBeTrue();
        result.Socket.ShouldBeNull();
        (await _fixture.OnAsync(() => _fixture.Loop.Timers.Armed)).ShouldBe(0);
    }

    /// <summary>The loop told of it when nobody was connecting, and does not tell again.</summary>
    [Fact]
    public async Task Connect_ClientWasReset_EndsAtOnce()
    {
        FillBacklog();
        using SocketPair client = await SocketPair.OpenAsync(_fixture);
        client.ResetFar();
        await _fixture.UntilAsync(() => client.Near.Failed, "the loop knows");
        ConnectResult result = await ConnectAsync(_cluster with { ConnectTimeout = TimeSpan.FromHours(1) }, client.Near);
        result.DownstreamGone.ShouldBeTrue();
        result.Socket.ShouldBeNull();
        (await _fixture.OnAsync(() => _fixture.Loop.Timers.Armed)).ShouldBe(0);
    }

    [Fact]
    public async Task Connect_ClientHalfClosesMeanwhile_GoesOn()
    {
        _listener.Listen(4);
        using SocketPair client = await SocketPair.OpenAsync(_fixture);
        client.Far.Shutdown(SocketShutdown.Send);
        ConnectResult result = await ConnectAsync(_cluster, client.Near);
        result.DownstreamGone.ShouldBeFalse();
        result.Error.ShouldBe(0);
        await _fixture.OnAsync(() => Close(result, _cluster));
    }

    [Fact]
    public async Task Connect_EpollRefusesTheSocket_ClosesIt()
    {
        _listener.Listen(4);
        using EventLoop without = new(1, NullLogger.Instance);

        // Not by closing it: another test's loop would get the number.
        FieldInfo epoll = typeof(EventLoop).GetField("_epoll", BindingFlags.NonPublic | BindingFlags.Instance)!;
        object descriptor = epoll.GetValue(without)!;
        epoll.SetValue(without, -1);
        ConnectResult result = await ConnectAttempt.ConnectAsync(without, Address, _cluster, null, _guard);
        epoll.SetValue(without, descriptor);
        result.Socket.ShouldBeNull();
        result.Error.ShouldBe(Errno.EBADF);
        using var patience = new CancellationTokenSource(Patience.Limit);
        using Socket accepted = await _listener.AcceptAsync(patience.Token);
        (await accepted.ReceiveAsync(new byte[1], patience.Token)).ShouldBe(0, "the descriptor is still open");
        _guard.IsOwnUpstream(ProtocolType.Tcp, (IPEndPoint)accepted.RemoteEndPoint!, (IPEndPoint)Address).ShouldBeFalse();
    }

    private Task<ConnectResult> ConnectAsync(ClusterSnapshot cluster, LoopSocket? client) => _fixture.RunAsync(
        async () => await ConnectAttempt.ConnectAsync(_fixture.Loop, Address, cluster, client, _guard));

    private void Close(ConnectResult result, ClusterSnapshot cluster)
    {
        EndpointSnapshot endpoint = new(Address, "", 1, EndpointHealth.Healthy, cluster.State.Endpoint(Address));
        new UpstreamConnection(result.Socket!, cluster, endpoint, result.Local, _guard).Close(reset: false);
    }

    /// <summary>A backlog of zero holds one connection; what comes after it is never answered.</summary>
    private void FillBacklog()
    {
        _listener.Listen(0);
        for (int i = 0; i < 4; i++)
        {
            var filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _fillers.Add(filler);
            _ = filler.ConnectAsync(Address).ContinueWith(static t => _ = t.Exception, TaskScheduler.Default);
        }

        SpinWait.SpinUntil(() => _fillers[0].Connected, Patience.Limit).ShouldBeTrue();
    }

    private static int Option(int fd, int level, int name) => SocketOptions.TryGetInt(fd, level, name, out int value) ? value : -1;
}
