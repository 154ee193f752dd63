using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>What one client sets on a connection of its own does not come to another with it.</summary>
public sealed class RedisConnectionStateTests : IDisposable
{
    private readonly Peer _redis = Peer.Redis();
    private readonly int _port = Ports.Free();
    private readonly Sidecar _proxy;

    public RedisConnectionStateTests() => _proxy = Sidecar.Start(
        new Boot().Listen("l", _port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: main}"))).With(Boot.Cluster("main", [_redis.Address])), concurrency: 1);

    [Fact]
    public void NameSetWhileSubscribed_IsTheClientsAlone()
    {
        using Call client = Call.To(_port);
        client.Send("HELLO 3\r\nSUBSCRIBE c\r\nCLIENT SETNAME mine\r\nUNSUBSCRIBE c\r\n");
        SkipTo(client, "unsubscribe");
        client.Take("$1\r\nc\r\n:0\r\n".Length).ShouldEndWith(":0\r\n");
        client.Ask("CLIENT GETNAME").ShouldBe("$4");
        client.ReadLine().ShouldBe("mine");
        using Call other = Call.To(_port);
        other.Send("HELLO 3\r\nWATCH k\r\nCLIENT INFO\r\n");
        SkipTo(other, "+OK");
        InfoOf(other).ShouldContain(" name= ");
        Connections().ShouldNotContain(" name=mine ");
    }

    /// <summary>An invalid name is none, at the server and here, nor is any that is set while version 2 is subscribed.</summary>
    [Theory]
    [InlineData(3, "'a b'")]
    [InlineData(2, "mine")]
    public void NameThatTheServerRefuses_IsNotTaken(int version, string name)
    {
        using Call client = Call.To(_port);
        client.Send($"HELLO {version}\r\nCLIENT SETNAME good\r\nSUBSCRIBE c\r\nCLIENT SETNAME {name}\r\nUNSUBSCRIBE c\r\n");
        SkipTo(client, "unsubscribe");
        client.Take("$1\r\nc\r\n:0\r\n".Length).ShouldEndWith(":0\r\n");
        client.Ask("CLIENT GETNAME").ShouldBe("$4");
        client.ReadLine().ShouldBe("good");
    }

    [Theory]
    [InlineData("HELLO 2 SETNAME mine")]
    [InlineData("CLIENT SETNAME mine")]
    public void NameSetOnAWatchingConnection_IsKeptHere(string command)
    {
        using Call client = Call.To(_port);
        client.Ask("WATCH k").ShouldBe("+OK");
        client.Ask(command).ShouldNotStartWith("-");
        client.Send("UNWATCH\r\n");
        SkipTo(client, "+OK");
        client.Ask("CLIENT GETNAME").ShouldBe("$4");
        client.ReadLine().ShouldBe("mine");
        Connections().ShouldNotContain(" name=mine ");
    }

    [Theory]
    [InlineData("CLIENT NO-EVICT ON", 'e')]
    [InlineData("CLIENT TRACKING ON", 't')]
    public void StateSetInATransaction_StaysWithItsClient(string command, char flag)
    {
        using Call client = Call.To(_port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask(command).ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*1");
        client.ReadLine().ShouldBe("+OK");
        client.Send("CLIENT INFO\r\n");
        FlagsOf(InfoOf(client)).ShouldContain(flag);
        using Call other = Call.To(_port);
        other.Ask("WATCH k").ShouldBe("+OK");
        other.Send("CLIENT INFO\r\n");
        FlagsOf(InfoOf(other)).ShouldBe("N");
    }

    [Theory]
    [InlineData("CLIENT NO-EVICT ON")]
    [InlineData("CLIENT TRACKING ON")]
    public void StateSetOnAWatchingConnection_StaysWithItsClient(string command)
    {
        using Call client = Call.To(_port);
        client.Ask("WATCH k").ShouldBe("+OK");
        client.Ask(command).ShouldBe("+OK");
        client.Ask("UNWATCH").ShouldBe("+OK");
        using Call other = Call.To(_port);
        other.Ask("WATCH k").ShouldBe("+OK");
        other.Send("CLIENT INFO\r\n");
        FlagsOf(InfoOf(other)).ShouldBe("N");
    }

    /// <summary>What a server refuses sets nothing: READONLY is of Redis Cluster, CLIENT NO-TOUCH of newer ones.</summary>
    [Theory]
    [InlineData("READONLY")]
    [InlineData("CLIENT NO-TOUCH ON")]
    public void StateThatTheServerRefuses_KeepsNoConnection(string command)
    {
        using Call client = Call.To(_port);
        client.Ask(command).ShouldStartWith("-ERR");
        using Call other = Call.To(_port);
        other.Ask(command).ShouldStartWith("-ERR");
        client.Ask("CLIENT NO-EVICT ON").ShouldBe("+OK");
        client.Ask(command).ShouldStartWith("-ERR");
        client.Send("CLIENT INFO\r\n");
        FlagsOf(InfoOf(client)).ShouldContain('e');

        // That of all, and one of the client's own: the other's went back, and this client got it.
        Connections().Split('\n').Count(static line => line.Contains(" cmd=", StringComparison.Ordinal) && !line.Contains("cmd=client|list", StringComparison.Ordinal))
            .ShouldBe(1);
    }

    /// <summary>No server has the numbers that the proxy gives, and each says so itself.</summary>
    [Fact]
    public void NumberOfTheProxys_IsNoConnectionOfAnyServer()
    {
        using Call client = Call.To(_port);
        string number = client.Ask("CLIENT ID")![1..];
        long.Parse(number, System.Globalization.CultureInfo.InvariantCulture).ShouldBeGreaterThan(1L << 52);
        using Call other = Call.To(_port);
        client.Send("BLPOP q 0\r\n");
        Wait.Until(() => Connections().Contains("cmd=blpop", StringComparison.Ordinal), Connections);
        other.Ask($"CLIENT UNBLOCK {number}").ShouldBe(":0");
        other.Ask($"CLIENT KILL ID {number}").ShouldBe(":0");
        other.Ask($"CLIENT TRACKING ON REDIRECT {number}").ShouldBe("-ERR The client ID you want redirect to does not exist");
        other.Ask("LPUSH q v").ShouldBe(":1");
        client.ReadLine().ShouldBe("*2");
    }

    public void Dispose()
    {
        _proxy.Dispose();
        _redis.Dispose();
    }

    private static string InfoOf(Call client)
    {
        for (string? line = client.ReadLine(); line is not null; line = client.ReadLine())
        {
            if (line.StartsWith("id=", StringComparison.Ordinal) || line.StartsWith("txt:id=", StringComparison.Ordinal))
            {
                return line;
            }
        }

        throw new InvalidOperationException("no line of CLIENT INFO");
    }

    private static string FlagsOf(string info) => info.Split(' ').Single(static word => word.StartsWith("flags=", StringComparison.Ordinal))["flags=".Length..];

    private string Connections() => Run.Must("redis-cli", "-p", $"{_redis.Port}", "CLIENT", "LIST");

    private static void SkipTo(Call call, string line)
    {
        while (call.ReadLine().ShouldNotBeNull() != line)
        {
        }
    }
}
