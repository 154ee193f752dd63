using System.Buffers;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.L4Proxy.Tests.Reporting;
using MeshL4.Samples.PingPong;
using MeshL4.TestKit;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Terminating;

/// <summary>What an update replaced is garbage, also where a client of a multiplexed protocol always has a request in flight.</summary>
public sealed class ReplacedClusterTests : IDisposable
{
    private readonly LoopFixture _fixture = new();
    private readonly SnapshotStore _store = new();
    private readonly ClusterState _state = new("c");
    private readonly Socket _staying = Listening();
    private readonly Socket _leaving = Listening();

    [Fact]
    public async Task ClusterThatWasReplaced_IsNotKeptByAClientWithARequestInFlight()
    {
        var listener = new ListenerSnapshot { Name = "l", Address = new IPEndPoint(IPAddress.Loopback, 1) };
        var worker = new LoopWorker(_fixture.Loop);
        var route = new XRpcRouteSnapshot
        {
            Name = "r", Match = new XRpcMatchSnapshot(), Clusters = [new WeightedClusterSnapshot("c", 1)], TotalWeight = 1, Policies = XRpcPoliciesSnapshot.None,
        };
        var proxy = new XRpcProxySnapshot { Codec = "pingpong", StatPrefix = "s", Routes = new XRpcRouteCell(new XRpcRouteTable([route], false)) };
        var protocol = new XRpcProtocol<PingPongCodec>(
            new XRpcServices(_store, new LoopGuard(), new MetricsRegistry()), static _ => new ForwardingConversation<PingPongCodec>());
        using SocketPair client = await SocketPair.OpenAsync(_fixture);
        var connection = new Downstream(worker, client.Near, ProxySnapshot.Empty, listener, new ConnectionRecord(new CountingReporter(), 1, listener));
        Use(_staying);
        Task<bool> served = _fixture.RunAsync(async () =>
        {
            worker.Connections.Add(connection);
            await protocol.RunAsync(connection, proxy);
            return true;
        });
        await client.Far.SendAsync(Call(1));
        using Socket waits = await _staying.AcceptAsync();

        WeakReference replaced = Use(_leaving);
        await client.Far.SendAsync(Call(2));
        (await _leaving.AcceptAsync()).Dispose();
        (await client.Far.ReceiveAsync(new byte[1024])).ShouldBeGreaterThan(0);
        Use(_staying);

        await Patience.UntilAsync(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                GC.Collect();
                return !replaced.IsAlive;
            },
            "the cluster is garbage");
        protocol.Loops.Single().Pools.Single().SharedLinks.Single().InFlight.ShouldBe(1);
        client.ResetFar();
        await served;
    }

    public void Dispose()
    {
        _fixture.Dispose();
        _staying.Dispose();
        _leaving.Dispose();
    }

    private static Socket Listening()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        return socket;
    }

    private static ReadOnlyMemory<byte> Call(uint id)
    {
        var output = new ArrayBufferWriter<byte>();
        PingPongCodec.Write(output, PingPongKind.Call, id, "service", "payload"u8);
        return output.WrittenMemory;
    }

    /// <summary>The running configuration has a cluster of one server.</summary>
    /// <returns>The cluster, which is not kept alive.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference Use(Socket server)
    {
        EndPoint address = server.LocalEndPoint!;
        var cluster = new ClusterSnapshot
        {
            Name = "c",
            State = _state,
            Endpoints = [new EndpointSnapshot(address, "", 1, EndpointHealth.Healthy, _state.Endpoint(address))],
        };
        _store.Swap(new ProxySnapshot { Clusters = ImmutableDictionary<string, ClusterSnapshot>.Empty.Add("c", cluster) });
        return new WeakReference(cluster);
    }
}
