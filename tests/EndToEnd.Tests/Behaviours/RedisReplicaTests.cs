using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>A Service over a server and its replica, read by the codec as <c>deploy/bootstrap.yaml</c> has it: each client sees one server, as through a plain relay.</summary>
public sealed class RedisReplicaTests : IDisposable
{
    private const int Clients = 8;

    private readonly Peer _server = Peer.Redis("--repl-diskless-sync-delay", "0");
    private readonly Peer _replica;
    private readonly int _port = Ports.Free();
    private readonly Sidecar _proxy;

    public RedisReplicaTests()
    {
        _replica = Peer.Redis("--replicaof", "127.0.0.1", $"{_server.Port}");
        using Call server = Call.To(_server.Port);
        server.Ask("MSET a 1 b 2 c 3").ShouldBe("+OK");
        Wait.Until(() => Ask(_replica, "DBSIZE") == ":3", "not synced");
        _proxy = Sidecar.Start(new Boot()
            .CodecRules("{cluster_pattern: 'outbound|6379|*', codec: redis, policies: {timeout: 5s}}")
            .Listen("l", _port, Boot.Chain(Boot.Tcp("'outbound|6379||redis'")))
            .With(Boot.Cluster("'outbound|6379||redis'", [_server.Address, _replica.Address], ", lb_policy: LEAST_REQUEST")));
    }

    [Fact]
    public void CountsAndKeys_AreThoseOfOneServer()
    {
        for (int i = 0; i < Clients; i++)
        {
            using Call client = Call.To(_port);
            client.Ask("DBSIZE").ShouldBe(":3");
            client.Ask("KEYS *").ShouldBe("*3");
            Lines(client, 6).Where(static line => line[0] != '$').Order().ShouldBe(["a", "b", "c"]);
            client.Ask("SCAN 0 COUNT 100").ShouldBe("*2");
            Lines(client, 9)[..3].ShouldBe(["$1", "0", "*3"]);
        }
    }

    [Fact]
    public void Wait_IsAnsweredByTheServer()
    {
        // The replica may not have told yet how far it is.
        string[] own = [":0", ":1", Ask(_replica, "WAIT 0 10")];
        for (int i = 0; i < Clients; i++)
        {
            using Call client = Call.To(_port);
            client.Ask("WAIT 0 10").ShouldBeOneOf(own);
        }
    }

    [Fact]
    public void Transaction_TakesWhatElsewhereGoesToEveryServer()
    {
        for (int i = 0; i < Clients; i++)
        {
            using Call client = Call.To(_port);
            foreach (string watched in (string[])["", "WATCH a"])
            {
                if (watched.Length > 0)
                {
                    client.Ask(watched).ShouldBe("+OK");
                    client.Ask("DBSIZE").ShouldBe(":3");
                }

                client.Ask("MULTI").ShouldBe("+OK");
                client.Ask("DBSIZE").ShouldBe("+QUEUED");
                client.Ask("SCRIPT LOAD 'return 1'").ShouldBe("+QUEUED");
                client.Ask("EXEC").ShouldBe("*2");
                Lines(client, 3)[0].ShouldBe(":3");
            }
        }
    }

    [Fact]
    public void ClientThatChangesItsDatabase_StaysWithItsServer()
    {
        for (int i = 0; i < Clients; i++)
        {
            using Call client = Call.To(_port);
            string port = Port(client);
            for (int database = 1; database < 5; database++)
            {
                client.Ask($"SELECT {database}").ShouldBe("+OK");
                Port(client).ShouldBe(port);
            }
        }
    }

    [Fact]
    public void Scripts_AreKnownToTheClientThatLoadedThem()
    {
        for (int i = 0; i < Clients; i++)
        {
            using Call client = Call.To(_port);
            client.Ask($"SCRIPT LOAD 'return {i}'").ShouldBe("$40");
            client.Ask($"EVALSHA {client.ReadLine()} 0").ShouldBe($":{i}");
        }
    }

    public void Dispose()
    {
        _proxy.Dispose();
        _replica.Dispose();
        _server.Dispose();
    }

    private static string Ask(Peer peer, string command)
    {
        using Call call = Call.To(peer.Port);
        return call.Ask(command)!;
    }

    private static string Port(Call client)
    {
        client.Ask("CONFIG GET port").ShouldBe("*2");
        return Lines(client, 4)[3];
    }

    private static string[] Lines(Call client, int count) => [.. Enumerable.Range(0, count).Select(_ => client.ReadLine()!)];
}
