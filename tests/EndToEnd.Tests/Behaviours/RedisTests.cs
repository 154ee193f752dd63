using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>redis_proxy between Redis' own tools and two Redis servers.</summary>
public class RedisTests
{
    [Fact]
    public void RedisTools_ThroughTheProxy_RoutedByPrefixAndCountedExactly()
    {
        using Peer main = Peer.Redis();
        using Peer orders = Peer.Redis();
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("redis", port, Boot.Chain(Boot.Redis("routes: [{prefix: 'orders:', cluster: orders}], catch_all_route: {cluster: main}")))
            .With(Boot.Cluster("main", [main.Address]), Boot.Cluster("orders", [orders.Address])));
        Cli(port, "SET", "greeting", "hello").ShouldBe("OK");
        Cli(port, "SET", "orders:1", "shoes").ShouldBe("OK");
        Cli(port, "GET", "greeting").ShouldBe("hello");
        Cli(port, "GET", "orders:1").ShouldBe("shoes");
        Cli(port, "INCR", "visits").ShouldBe("1");
        Cli(orders.Port, "GET", "orders:1").ShouldBe("shoes");
        Cli(orders.Port, "DBSIZE").ShouldBe("1");
        Cli(main.Port, "GET", "orders:1").ShouldBe("");
        Run.Must("redis-benchmark", "-p", $"{port}", "-n", "5000", "-c", "20", "-P", "4", "-q", "LPUSH", "list", "value");
        Cli(main.Port, "LLEN", "list").ShouldBe("5000");
        proxy.Stat("redis.r.command.set.total").ShouldBe(2);
        proxy.Stat("redis.r.command.get.total").ShouldBe(2);
        proxy.Stat("redis.r.command.incr.total").ShouldBe(1);
        proxy.Stat("redis.r.command.lpush.total").ShouldBe(5000);

        // An answer is counted when it is on its way to the client.
        Wait.Until(() => proxy.Stat("redis.r.command.lpush.success") == 5000, () => $"{proxy.Stat("redis.r.command.lpush.success")} of 5000 succeeded");
    }

    private static string Cli(int port, params string[] command) => Run.Must("redis-cli", ["-p", $"{port}", .. command]).Trim();
}
