using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Clients of RPC protocols share as few loops as have time for them, and go from one to another without noticing.</summary>
public sealed class ClientPlacementTests : IDisposable
{
    private const string Moved = "meshl4.downstream_connections_moved";
    private const int Clients = 16;

    private readonly Peer _redis = Peer.Redis("--databases", "32");

    public void Dispose() => _redis.Dispose();

    /// <summary>All sixteen on one loop by chance: once in 32,768 runs.</summary>
    [Theory]
    [InlineData(null, 1)]
    [InlineData(0, 2)]
    public void FewClients_ShareOneLoop_UnlessTheyAreToStay(int? busyPercent, int loops)
    {
        using Sidecar proxy = Start(busyPercent, out int port);
        Call[] clients = [.. Enumerable.Range(0, Clients).Select(_ => Call.To(port))];
        Array.ForEach(clients, static client => client.Ask("SET k 1").ShouldBe("+OK"));
        if (loops == 1)
        {
            Wait.Until(() => proxy.Stat(Moved) > 0, "nobody moves");
        }

        // Every connection in use has the one question as its last, and then the other; one left behind where nobody is has an old one.
        Wait.Until(
            () =>
            {
                Array.ForEach(clients, static client => client.Ask("STRLEN k").ShouldBe(":1"));
                int used = Connections("strlen");
                Array.ForEach(clients, static client => client.Ask("EXISTS k").ShouldBe(":1"));
                return used == loops;
            },
            "clients use another number of connections");
        (proxy.Stat(Moved) == 0).ShouldBe(loops == 2);
        Array.ForEach(clients, static client => client.Dispose());
        Wait.Until(() => proxy.Stat("redis.r.downstream_cx_active") == 0, "clients are counted that left");
        proxy.Stat("redis.r.downstream_cx_total").ShouldBe(Clients);
    }

    /// <summary>
    /// A loop counts as busy from one percent: clients that work go apart, and come together when they rest. Each has something that has
    /// to come along: a database, a version of the protocol, a request half sent, a transaction, a subscription.
    /// </summary>
    [Fact]
    public async Task ClientsThatGoFromLoopToLoop_KeepWhatTheyHave()
    {
        using Sidecar proxy = Start(1, out int port);
        Call[] clients = [.. Enumerable.Range(0, Clients).Select(_ => Call.To(port))];
        for (int i = 0; i < Clients; i++)
        {
            clients[i].Ask($"SELECT {i}").ShouldBe("+OK");
            clients[i].Ask($"SET mine {i}").ShouldBe("+OK");
        }

        using Call transaction = Call.To(port);
        transaction.Ask("MULTI").ShouldBe("+OK");
        using Call subscriber = Call.To(port);
        subscriber.Ask("SUBSCRIBE news").ShouldBe("*3");
        Lines(subscriber, 5)[^1].ShouldBe(":1");

        int rounds = 0;
        for (long moved = proxy.Stat(Moved); rounds < 4 || proxy.Stat(Moved) < moved + (2 * Clients); rounds++)
        {
            rounds.ShouldBeLessThan(40, $"clients do not move: {moved} before, {proxy.Stat(Moved)} now");
            transaction.Ask($"RPUSH queue {rounds}").ShouldBe("+QUEUED");

            // Two looks have to agree before anybody goes, which come late where the machine is slow.
            int milliseconds = 700 + (50 * rounds);
            await Task.WhenAll(clients.Select((client, i) => Task.Factory.StartNew(() => Work(client, i, milliseconds), TaskCreationOptions.LongRunning)));
            await Task.Delay(milliseconds);
            Array.ForEach(clients, static client => client.Send("e\r\n"));
            for (int i = 0; i < Clients; i++)
            {
                clients[i].ReadLine().ShouldBe($"${$"{i}".Length}");
                clients[i].ReadLine().ShouldBe($"{i}");
            }

            clients[0].Ask("PUBLISH news x").ShouldBe(":1");
            Lines(subscriber, 7)[^1].ShouldBe("x");
        }

        transaction.Ask("EXEC").ShouldBe($"*{rounds}");
        proxy.Stat("meshl4.loop_faults").ShouldBe(0);
        Array.ForEach(clients, static client => client.Dispose());
        transaction.Dispose();
        subscriber.Dispose();
        Wait.Until(() => proxy.Stat("redis.r.downstream_cx_active") == 0 && proxy.Stat("meshl4.downstream_connections") == 0, "clients are counted that left");
        Wait.Until(() => proxy.Stat("meshl4.buffers_rented") == 0, "blocks are held for clients that left");
        proxy.Stat("redis.r.downstream_cx_total").ShouldBe(Clients + 2);
        proxy.Stat("redis.r.downstream_rq_active").ShouldBe(0);
    }

    private int Connections(string command) =>
        Run.Must("redis-cli", "-p", $"{_redis.Port}", "CLIENT", "LIST").Split('\n').Count(line => line.Contains($"cmd={command} ", StringComparison.Ordinal));

    private static string?[] Lines(Call call, int count) => [.. Enumerable.Range(0, count).Select(_ => call.ReadLine())];

    /// <summary>Pipelines of which every answer is looked at, for a time; then a request without its end.</summary>
    private static void Work(Call client, int number, int milliseconds)
    {
        long end = Environment.TickCount64 + milliseconds;
        for (int i = 0; Environment.TickCount64 < end; i++)
        {
            client.Send(string.Concat(Enumerable.Range(0, 20).Select(n => $"SET k:{n} {number}:{i}:{n}\r\nGET k:{n}\r\n")));
            for (int n = 0; n < 20; n++)
            {
                client.ReadLine().ShouldBe("+OK");
                client.ReadLine().ShouldStartWith("$");
                client.ReadLine().ShouldBe($"{number}:{i}:{n}");
            }
        }

        client.Send("GET min");
    }

    private Sidecar Start(int? busyPercent, out int port)
    {
        port = Ports.Free();
        var boot = new Boot { BusyLoopPercent = busyPercent };
        return Sidecar.Start(boot.Listen("l", port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: c}"))).With(Boot.Cluster("c", [_redis.Address])));
    }
}
