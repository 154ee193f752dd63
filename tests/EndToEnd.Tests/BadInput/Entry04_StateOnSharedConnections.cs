using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 4: commands that give a connection a state meet a proxy whose connections are shared.</summary>
public sealed class Entry04_StateOnSharedConnections
{
    [Fact]
    public void Transaction_BesideOtherClients_HoldsItsOwnCommandsOnly()
    {
        using var front = new RedisFront();
        using Call one = Call.To(front.Port);
        using Call other = Call.To(front.Port);
        one.Ask("MULTI").ShouldBe("+OK");
        one.Ask("INCR mine").ShouldBe("+QUEUED");
        other.Ask("INCR others").ShouldBe(":1");
        other.Ask("EXEC").ShouldBe("-ERR EXEC without MULTI");
        one.Ask("INCR mine").ShouldBe("+QUEUED");
        one.Ask("EXEC").ShouldBe("*2");
        one.ReadLine().ShouldBe(":1");
        one.ReadLine().ShouldBe(":2");
        one.Ask("GET others").ShouldBe("$1");
    }

    [Fact]
    public void WatchedKey_ChangedByAnother_FailsTheTransaction()
    {
        using var front = new RedisFront();
        using Call one = Call.To(front.Port);
        using Call other = Call.To(front.Port);
        one.Ask("WATCH k").ShouldBe("+OK");
        other.Ask("SET k 1").ShouldBe("+OK");
        one.Ask("MULTI").ShouldBe("+OK");
        one.Ask("SET k 2").ShouldBe("+QUEUED");
        one.Ask("EXEC").ShouldBe("*-1");
        other.Ask("GET k").ShouldBe("$1");
        other.ReadLine().ShouldBe("1");
    }

    [Fact]
    public void Transaction_OfClientThatLeaves_ReachesNobodyElse()
    {
        using var front = new RedisFront();
        for (int i = 0; i < 20; i++)
        {
            using Call leaving = Call.To(front.Port);
            leaving.Ask("MULTI").ShouldBe("+OK");
            leaving.Ask("SET k left").ShouldBe("+QUEUED");
        }

        using Call next = Call.To(front.Port);
        next.Ask("MULTI").ShouldBe("+OK");
        next.Ask("GET k").ShouldBe("+QUEUED");
        next.Ask("EXEC").ShouldBe("*1");
        next.ReadLine().ShouldBe("$-1");
    }

    [Fact]
    public void BlockedClient_HoldsNobodyBack()
    {
        using var front = new RedisFront();
        using Call blocked = Call.To(front.Port);
        blocked.Send("BLPOP queue 0\r\n");
        using Call other = Call.To(front.Port);
        Wait.Until(() => other.Ask("PING") == "+PONG" && Run.Must("redis-cli", "-p", $"{front.RedisPort}", "INFO", "clients").Contains("blocked_clients:1", StringComparison.Ordinal), "not blocked");
        other.Ask("RPUSH queue x").ShouldBe(":1");
        blocked.ReadLine().ShouldBe("*2");
        front.Witness();
    }
}
