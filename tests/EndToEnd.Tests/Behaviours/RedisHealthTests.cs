using System.Text.Json;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;
using BackgroundProgram = MeshL4.TestKit.BackgroundProgram;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>PING health checks: a server that gives no sign of life is passed over while others do.</summary>
public sealed class RedisHealthTests : IDisposable
{
    /// <summary>Long enough that a server which is only slow, as the machine is, is not taken for one that is gone.</summary>
    private const string Interval = "health_check_interval: 1s";
    private readonly Peer _one = Peer.Redis();
    private readonly Peer _two = Peer.Redis();

    public RedisHealthTests()
    {
        Name(_one, "one");
        Name(_two, "two");
    }

    [Theory]
    [InlineData("")]
    [InlineData(", lb_policy: RING_HASH")]
    public void ServerThatDoesNotAnswerPings_IsPassedOver_AndComesBack(string policy)
    {
        using Sidecar proxy = Start(policy, out int port);
        using Call client = Call.To(port);
        Peer stopped = client.Ask("GET who") == "$3" && client.ReadLine() == "one" ? _one : _two;
        (Peer other, string name) = stopped == _one ? (_two, "two") : (_one, "one");
        stopped.Signal("STOP");
        try
        {
            Wait.Until(() => FlagsOf(proxy, stopped) == "/failed_active_hc", () => proxy.Get("/clusters"));
            FlagsOf(proxy, other).ShouldBe("healthy");
            IsFailedInJson(proxy, stopped).ShouldBe(true);
            proxy.Stat("cluster.main.membership_healthy").ShouldBe(1);

            // The client that was there, and new ones.
            Who(client).ShouldBe(name);
            for (int i = 0; i < 6; i++)
            {
                using Call another = Call.To(port);
                Who(another).ShouldBe(name);
            }
        }
        finally
        {
            stopped.Signal("CONT");
        }

        Wait.Until(() => FlagsOf(proxy, stopped) == "healthy", () => proxy.Get("/clusters"));
        IsFailedInJson(proxy, stopped).ShouldBeNull();
        string[] answers = [.. Enumerable.Range(0, 8).Select(_ =>
        {
            using Call another = Call.To(port);
            return Who(another);
        })];
        answers.ShouldContain(stopped == _one ? "one" : "two", policy);
    }

    [Fact]
    public void WhereNobodyAnswersPings_RequestsGoToAll_AsWithoutChecks()
    {
        using Sidecar proxy = Start("", out int port);
        using Call one = Call.To(port);
        using Call two = Call.To(port);
        new[] { Who(one), Who(two) }.ShouldBe(["one", "two"], ignoreOrder: true);
        _one.Signal("STOP");
        _two.Signal("STOP");
        try
        {
            Wait.Until(() => FlagsOf(proxy, _one) == "/failed_active_hc" && FlagsOf(proxy, _two) == "/failed_active_hc", () => proxy.Get("/clusters"));
            one.Send("GET who\n");
            two.Send("GET who\n");
            Wait.Until(() => proxy.Stat("redis.x.downstream_rq_total") >= 4, "the requests were not taken");
        }
        finally
        {
            _one.Signal("CONT");
            _two.Signal("CONT");
        }

        foreach (Call client in (Call[])[one, two])
        {
            client.ReadLine().ShouldBe("$3");
            client.ReadLine().ShouldBeOneOf("one", "two");
        }

        Wait.Until(() => FlagsOf(proxy, _one) == "healthy" && FlagsOf(proxy, _two) == "healthy", () => proxy.Get("/clusters"));
    }

    [Fact]
    public void ServerThatIsGone_IsPassedOver_AndComesBackWhenItListensAgain()
    {
        int port = Ports.Free();
        using Sidecar proxy = Start("", out int listener, $"127.0.0.1:{port}", _two.Address);
        using Call first = Call.To(listener);
        using Call second = Call.To(listener);
        string?[] answers = [first.Ask("GET who"), second.Ask("GET who")];
        answers.ShouldContain("$3");
        Wait.Until(() => proxy.Get("/clusters").Contains($"main::127.0.0.1:{port}::health_flags::/failed_active_hc", StringComparison.Ordinal), () => proxy.Get("/clusters"));
        for (int i = 0; i < 6; i++)
        {
            using Call another = Call.To(listener);
            Who(another).ShouldBe("two");
        }

        using BackgroundProgram back = BackgroundProgram.Start(["redis-server", "--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        Wait.Until(() => FlagsOf(proxy, port) == "healthy", () => proxy.Get("/clusters"));
    }

    /// <summary>In a transaction a PING would be one command of it, and after CLIENT REPLY OFF nobody would answer it.</summary>
    [Fact]
    public void ConnectionOfASingleClient_IsNotPinged()
    {
        using Sidecar proxy = Start("", out int port, "health_check_interval: 0.3s", 1);
        using Call client = Call.To(port);
        using Call silent = Call.To(port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("GET who").ShouldBe("+QUEUED");
        silent.Send("CLIENT REPLY OFF\nSET quiet 1\n");
        Thread.Sleep(1500);
        client.Ask("EXEC").ShouldBe("*1");
        silent.Ask("CLIENT REPLY ON").ShouldBe("+OK");
    }

    /// <summary>A server may be busy for longer than the interval: who waits for it is not given up, others go elsewhere.</summary>
    [Fact]
    public void RequestThatTakesLongerThanTheInterval_IsAnswered()
    {
        using Sidecar proxy = Start("", out int port);
        using Call client = Call.To(port);
        (Peer busy, string name) = Who(client) == "one" ? (_one, "one") : (_two, "two");
        busy.Signal("STOP");
        try
        {
            client.Send("GET who\n");
            Wait.Until(() => FlagsOf(proxy, busy) == "/failed_active_hc", () => proxy.Get("/clusters"));
            for (int i = 0; i < 2; i++)
            {
                using Call another = Call.To(port);
                Who(another).ShouldNotBe(name);
            }
        }
        finally
        {
            busy.Signal("CONT");
        }

        client.ReadLine().ShouldBe("$3");
        client.ReadLine().ShouldBe(name);
        Wait.Until(() => FlagsOf(proxy, busy) == "healthy", () => proxy.Get("/clusters"));
    }

    /// <summary>Its keys belong to others meanwhile; those of the transaction belong to its connection.</summary>
    [Fact]
    public void TransactionAtAServerThatFails_WaitsForIt()
    {
        using Sidecar proxy = Start(", lb_policy: RING_HASH", out int port);
        using Call client = Call.To(port);
        (Peer own, string name) = Who(client) == "one" ? (_one, "one") : (_two, "two");
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("GET who").ShouldBe("+QUEUED");
        own.Signal("STOP");
        try
        {
            Wait.Until(() => FlagsOf(proxy, own) == "/failed_active_hc", () => proxy.Get("/clusters"));
            using Call another = Call.To(port);
            Who(another).ShouldNotBe(name);
            long before = proxy.Stat("redis.x.downstream_rq_total");
            client.Send("GET who\n");
            Wait.Until(() => proxy.Stat("redis.x.downstream_rq_total") > before, "the request was not taken");
        }
        finally
        {
            own.Signal("CONT");
        }

        client.ReadLine().ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*2");
    }

    [Fact]
    public void ServerThatFails_IsAskedOn_WhenNoClientIsThere()
    {
        int port = Ports.Free();
        using Sidecar proxy = Start("", out int listener, "health_check_interval: 2s, idle_timeout: 1s", 1, $"127.0.0.1:{port}");
        using (Call client = Call.To(listener))
        {
            client.Ask("GET who").ShouldStartWith("-");
        }

        Wait.Until(() => FlagsOf(proxy, port) == "/failed_active_hc", () => proxy.Get("/clusters"));
        Wait.Until(() => proxy.Stat("redis.x.downstream_cx_active") == 0, "the client has not left");
        using BackgroundProgram back = BackgroundProgram.Start(["redis-server", "--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        Wait.Until(() => FlagsOf(proxy, port) == "healthy", () => proxy.Get("/clusters"));
    }

    /// <summary>A NAT or a firewall that forgot one connection: the server answers on a new one, and nobody takes it for failed in between.</summary>
    [Fact]
    public void ConnectionThatWasDroppedOnTheWay_IsNoFailureOfItsServer()
    {
        using var relay = new TcpRelay(_one.Port);
        using Sidecar proxy = Start("", out int port, "health_check_interval: 5s", 1, relay.Address);
        using Call client = Call.To(port);
        Who(client).ShouldBe("one");
        string? seen = null;
        relay.OnTaken = () => seen ??= FlagsOf(proxy, relay.Port);
        relay.Forget();
        Wait.Until(() => Volatile.Read(ref seen) is not null, "it was not asked on a new connection");
        seen.ShouldBe("healthy");
        Who(client).ShouldBe("one");
        FlagsOf(proxy, relay.Port).ShouldBe("healthy");
        relay.Taken.ShouldBe(2);
    }

    [Fact]
    public void ServerThatClosesTheNewConnectionToo_Fails()
    {
        using var relay = new TcpRelay(_one.Port);
        using Sidecar proxy = Start("", out int port, Interval, 1, relay.Address);
        using Call client = Call.To(port);
        Who(client).ShouldBe("one");
        relay.Closes = true;
        relay.Forget();
        Wait.Until(() => FlagsOf(proxy, relay.Port) == "/failed_active_hc", () => proxy.Get("/clusters"));
        relay.Closes = false;
        Wait.Until(() => FlagsOf(proxy, relay.Port) == "healthy", () => proxy.Get("/clusters"));
        Who(client).ShouldBe("one");
    }

    /// <summary>Another proxy to the same servers, on loops of its own, that does not ask knows nothing of them.</summary>
    [Fact]
    public void ProxyWithoutChecks_TakesNoVerdictBack()
    {
        int plain = Ports.Free();
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(
            new Boot { BusyLoopPercent = 0 }.Listen("l", port, Boot.Chain(Filter("x", Interval))).Listen("p", plain, Boot.Chain(Filter("y", "")))
                .With(Boot.Cluster("main", [_one.Address, _two.Address])),
            concurrency: 2);

        // Both loops have connections to both servers, and ask; the last client has one of the loops ask no more.
        Call[] clients = [.. Enumerable.Range(0, 33).Select(i => Call.To(i < 32 ? port : plain))];
        Array.ForEach(clients, static client => Who(client));
        _one.Signal("STOP");
        try
        {
            Wait.Until(() => FlagsOf(proxy, _one) == "/failed_active_hc", () => proxy.Get("/clusters"));
            for (int look = 0; look < 40; look++)
            {
                FlagsOf(proxy, _one).ShouldBe("/failed_active_hc");
                Thread.Sleep(50);
            }
        }
        finally
        {
            _one.Signal("CONT");
            Array.ForEach(clients, static client => client.Dispose());
        }

        Wait.Until(() => FlagsOf(proxy, _one) == "healthy", () => proxy.Get("/clusters"));
    }

    public void Dispose()
    {
        _one.Dispose();
        _two.Dispose();
    }

    private static void Name(Peer redis, string name) => Run.Must("redis-cli", "-p", $"{redis.Port}", "SET", "who", name);

    private static string Who(Call client)
    {
        client.Ask("GET who").ShouldBe("$3");
        return client.ReadLine()!;
    }

    private static string FlagsOf(Sidecar proxy, Peer redis) => FlagsOf(proxy, redis.Port);

    private static string FlagsOf(Sidecar proxy, int port) => proxy.HealthFlags("main", $"127.0.0.1:{port}");

    private static bool? IsFailedInJson(Sidecar proxy, Peer redis)
    {
        using JsonDocument page = JsonDocument.Parse(proxy.Get("/clusters?format=json"));
        JsonElement host = page.RootElement.GetProperty("cluster_statuses")[0].GetProperty("host_statuses").EnumerateArray()
            .Single(one => one.GetProperty("address").GetProperty("socket_address").GetProperty("port_value").GetInt32() == redis.Port);
        return host.GetProperty("health_status").TryGetProperty("failed_active_health_check", out JsonElement failed) ? failed.GetBoolean() : null;
    }

    private Sidecar Start(string policy, out int port, params string[] servers) => Start(policy, out port, Interval, 1, servers);

    private Sidecar Start(string policy, out int port, string upstream, int concurrency, params string[] servers)
    {
        port = Ports.Free();
        string[] addresses = servers.Length > 0 ? servers : [_one.Address, _two.Address];
        return Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(Filter("x", upstream))).With(Boot.Cluster("main", addresses, policy)), concurrency: concurrency);
    }

    private static string Filter(string prefix, string upstream) =>
        $"{{name: {prefix}, typed_config: {{'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: {prefix}, codec: redis, "
        + $"route_config: {{name: r, routes: [{{forward: {{cluster: main}}}}]}}, upstream: {{{upstream}}}}}}}";
}
