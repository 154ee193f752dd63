using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>The requests in flight, which the budget of retries is a share of: those of clients that left are none, whatever had come for them.</summary>
public sealed class ActiveRequestsTests : IDisposable
{
    private const string Active = "redis.r.downstream_rq_active";

    private readonly Peer _slow = Peer.Redis();
    private readonly Peer _fast = Peer.Redis();
    private readonly Peer _other = Peer.Redis();
    private readonly int _port = Ports.Free();

    /// <summary>Answers that came whole are held behind one that does not come: of servers, of several together, and of the proxy itself.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ClientsThatLeaveBehindOneThatIsNotAnswered_AreNotCountedAnyMore(bool reset)
    {
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain(Boot.Redis(
                "routes: [{prefix: 's:', cluster: slow}, {prefix: 'f:', cluster: fast, request_mirror_policy: [{cluster: other}]}, {prefix: 'o:', cluster: other}]").Replace("op_timeout: 5s", "op_timeout: 100s", StringComparison.Ordinal)))
            .With(Boot.Cluster("slow", [_slow.Address]), Boot.Cluster("fast", [_fast.Address]), Boot.Cluster("other", [_other.Address])));
        using Call witness = Call.To(_port);
        witness.Ask("SET s:k 1").ShouldBe("+OK");
        _slow.Signal("STOP");
        const int Crowd = 4;
        string pipeline = RedisFront.Command("GET", "s:k")
            + string.Concat(Enumerable.Repeat(RedisFront.Command("SET", "f:k", "v") + RedisFront.Command("MGET", "f:k", "o:k"), 5))
            + RedisFront.Command("PING") + RedisFront.Command("GET", "unrouted") + RedisFront.Command("GET", "f:k");
        for (int i = 0; i < Crowd; i++)
        {
            long before = proxy.Stat("redis.r.downstream_rq_total");
            Call leaves = Call.To(_port);
            leaves.Send(pipeline);
            long others = reset ? 0 : i;
            Wait.Until(() => proxy.Stat("redis.r.downstream_rq_total") == before + 14 && proxy.Stat(Active) == others + 1, () => $"answers are not held: {proxy.Stat(Active)}");
            leaves.Socket.LingerState = new LingerOption(reset, 0);
            leaves.Dispose();
            Wait.Until(() => !reset || proxy.Stat("redis.r.downstream_cx_active") == 1, "a client is served that left");
            proxy.Stat(Active).ShouldBe(reset ? 0 : others + 1);
        }

        _slow.Signal("CONT");
        Wait.Until(() => proxy.Stat("redis.r.downstream_cx_active") == 1, "a client is served that left");
        proxy.Stat(Active).ShouldBe(0);
    }

    /// <summary>What the proxy asks for a transaction of its own is no request of the client's.</summary>
    [Fact]
    public void ClientThatLeavesBeforeItsTransactionBegan_IsNotCountedAnyMore()
    {
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: slow}").Replace("op_timeout: 5s", "op_timeout: 100s", StringComparison.Ordinal)))
            .With(Boot.Cluster("slow", [_slow.Address])));
        using Call witness = Call.To(_port);
        witness.Ask("SET k 1").ShouldBe("+OK");
        _slow.Signal("STOP");
        long before = proxy.Stat("cluster.slow.upstream_cx_tx_bytes_total");
        Call leaves = Call.To(_port);
        leaves.Ask("MULTI").ShouldBe("+OK");
        leaves.Send(RedisFront.Command("SET", "k", "2"));
        Wait.Until(() => proxy.Stat("cluster.slow.upstream_cx_tx_bytes_total") > before, "MULTI is not sent");
        leaves.Socket.LingerState = new LingerOption(true, 0);
        leaves.Dispose();
        Wait.Until(() => proxy.Stat("redis.r.downstream_cx_active") == 1, "a client is served that left");
        proxy.Stat(Active).ShouldBe(0);
        _slow.Signal("CONT");
        witness.Ask("STRLEN k").ShouldBe(":1");
        proxy.Stat(Active).ShouldBe(0);
    }

    public void Dispose()
    {
        _slow.Dispose();
        _fast.Dispose();
        _other.Dispose();
    }
}
