using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>What the proxy keeps for later is bounded, whatever clients make up.</summary>
public sealed class RedisPoolTests : IDisposable
{
    private readonly Peer _redis = Peer.Redis();
    private readonly Peer _other = Peer.Redis();
    private readonly TempFolder _folder = new();

    [Theory]
    [InlineData("", 65)]
    [InlineData(", circuit_breakers: {thresholds: [{max_connections: 20}]}", 20)]
    public void IdentitiesThatAClientMakesUp_LeaveNobodyWithoutAConnection(string limits, int most)
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", new Boot().With(Boot.Cluster("main", [_redis.Address], limits)), out int port);
        using Call client = Call.To(port);
        for (int i = 0; i < 150; i++)
        {
            client.Ask($"AUTH default made-up-{i}").ShouldBe("+OK");
        }

        using Call other = Call.To(port);
        other.Ask("MULTI").ShouldBe("+OK");
        other.Ask("SET k 1").ShouldBe("+QUEUED");
        other.Ask("EXEC").ShouldBe("*1");
        proxy.Stat("cluster.main.upstream_cx_active").ShouldBeInRange(1, most);
    }

    [Fact]
    public void ConnectionsToAnAddressThatIsGone_Close()
    {
        string file = _folder.Write("cds.yaml", Boot.Resources("1", Boot.Cluster("main", [_redis.Address])));
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", new Boot().Files(clusters: file), out int port);
        using Call client = Call.To(port);
        client.Ask("SET k 1").ShouldBe("+OK");
        Clients(_redis).ShouldBe(2);

        _folder.Write("new.yaml", Boot.Resources("2", Boot.Cluster("main", [_other.Address])));
        File.Move(_folder.At("new.yaml"), file, overwrite: true);

        Wait.Until(() => Clients(_redis) == 1, "the connection to the address that is gone stays");
        client.Ask("GET k").ShouldBe("$-1");
        client.Ask("SET k 2").ShouldBe("+OK");
        Clients(_other).ShouldBe(2);
    }

    [Fact]
    public void AnswersThatAreHeldToBeMerged_StopTheirClient()
    {
        using Sidecar proxy = Start(
            "{name: b, match: {key_prefix: 'b:'}, forward: {cluster: other}}, {name: all, forward: {cluster: main}}",
            new Boot().With(Boot.Cluster("main", [_redis.Address]), Boot.Cluster("other", [_other.Address])),
            out int port);
        using Call client = Call.To(port);
        string value = new('x', 300_000);
        client.Send(RedisFront.Command("SET", "a:1", value) + RedisFront.Command("SET", "b:1", "y"));
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldBe("+OK");
        string merged = RedisFront.Command("MGET", "a:1", "b:1");
        for (int i = 0; i < 3; i++)
        {
            client.Send(merged);
            ReadMerged();
        }

        _other.Signal("STOP");
        try
        {
            client.Send(string.Concat(Enumerable.Repeat(merged, 100)));
            Wait.Until(() => proxy.Stat("redis.x.command.mget.total") > 3, "nothing was asked");
            using (Call second = Call.To(port))
            {
                second.Ask("STRLEN a:1").ShouldBe(":300000");
            }

            proxy.Stat("redis.x.command.mget.total").ShouldBeLessThan(10);
        }
        finally
        {
            _other.Signal("CONT");
        }

        for (int i = 0; i < 100; i++)
        {
            ReadMerged();
        }

        void ReadMerged()
        {
            string[] expected = ["*2", "$300000", value, "$1", "y"];
            foreach (string line in expected)
            {
                client.ReadLine().ShouldBe(line);
            }
        }
    }

    public void Dispose()
    {
        _redis.Dispose();
        _other.Dispose();
        _folder.Dispose();
    }

    private static int Clients(Peer redis) =>
        Run.Must("redis-cli", "-p", $"{redis.Port}", "CLIENT", "LIST").Trim().Split('\n').Length;

    private static Sidecar Start(string routes, Boot boot, out int port)
    {
        port = Ports.Free();
        string filter = "{name: x, typed_config: {'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: x, codec: redis, "
            + $"route_config: {{name: r, routes: [{routes}]}}}}}}";
        return Sidecar.Start(boot.Listen("l", port, Boot.Chain(filter)), concurrency: 1);
    }
}
