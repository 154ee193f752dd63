using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Commands of megabytes: those that their head decides on pass, whatever the configuration names, and the others say which limit they are over.</summary>
public sealed class RedisLongCommandTests
{
    private const int Length = 3_000_000;

    private static readonly string Value = new('x', Length);

    /// <summary>What is known needs not be whole for the sake of names that it does not have; nor does what has none of them.</summary>
    [Fact]
    public void CustomCommands_HoldNoOther()
    {
        using RedisFront front = RedisFront.Common(", redis: {custom_commands: [my.cmd]}");
        using Call client = Call.To(front.Port);
        client.Send(RedisFront.Command("SET", "k", Value));
        client.ReadLine().ShouldBe("+OK");
        client.Send(RedisFront.Command("MSET", "j", Value, "i", "1"));
        client.ReadLine().ShouldBe("+OK");
        client.Send(RedisFront.Command("FOO", "k", Value));
        client.ReadLine()!.ShouldStartWith("-ERR unknown command 'FOO'");
        client.Ask("STRLEN j").ShouldBe($":{Length}");

        try
        {
            client.Send(RedisFront.Command("My.Cmd", "k", Value));
        }
        catch (IOException)
        {
            // Refused and reset while it was still on its way: the answer came before that.
        }

        client.ReadLine().ShouldBe("-ERR MeshL4: the request has to be seen whole, and is over 1048576 bytes");
        client.Ends().ShouldBeTrue();
    }

    [Theory]
    [InlineData("")]
    [InlineData(", policies: {authorization: {deny: [{keys: [{prefix: 'secret:'}]}]}}")]
    public void FirstOfATransaction_IsNotHeld(string more)
    {
        using RedisFront front = RedisFront.Common(more);
        using Call client = Call.To(front.Port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Send(RedisFront.Command("SET", "k", Value));
        client.ReadLine().ShouldBe("+QUEUED");
        client.Ask("EXISTS k").ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*2");
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldBe(":1");
        client.Ask("STRLEN k").ShouldBe($":{Length}");
        front.Proxy.Stat("cluster.tested.upstream_cx_active").ShouldBe(2);
    }

    /// <summary>A client is in no database that nobody knows: what its SELECT did there was in the answer.</summary>
    [Theory]
    [InlineData("CLIENT NO-EVICT OFF", "+OK")]
    [InlineData("EXISTS k", ":1")]
    public void LongAnswerToAnExecWithSelect_EndsTheClient(string before, string answer)
    {
        using RedisFront front = RedisFront.Common("");
        using Call client = Call.To(front.Port);
        client.Send(RedisFront.Command("SET", "k", Value));
        client.ReadLine().ShouldBe("+OK");
        client.Ask(before).ShouldBe(answer);
        client.Ask("MULTI").ShouldBe("+OK");
        foreach (string queued in (string[])["INCR n", "GET k", "SELECT 1"])
        {
            client.Ask(queued).ShouldBe("+QUEUED");
        }

        client.Ask("EXEC").ShouldBe("-ERR MeshL4: the answer is over max_buffered_bytes (1048576)");
        client.Ends().ShouldBeTrue();
        Call.Ask(front.Port, "STRLEN n").ShouldBe(":1");
        front.Proxy.LoggedLines(1, "details=redis_state_unknown").Count.ShouldBe(1);
    }

    /// <summary>It is not the command that is too long.</summary>
    [Fact]
    public void LongAnswerThatIsMerged_SaysWhichLimitItIsOver()
    {
        using Peer one = Peer.Redis();
        using Peer other = Peer.Redis();
        using var front = new RedisFront([one.Address, other.Address]);
        using Call client = Call.To(front.Port);
        client.Send(RedisFront.Command("SET", "k", Value));
        client.ReadLine().ShouldBe("+OK");
        client.Ask("MGET k " + string.Join(' ', Enumerable.Range(0, 20))).ShouldBe("*21");
        client.ReadLine().ShouldBe("-ERR MeshL4: the answer is over max_buffered_bytes (1048576)");
    }

    /// <summary>It may be refused before its transaction has a node, and none of its bytes are taken for another command.</summary>
    [Fact]
    public void FirstOfATransaction_IsRefusedByItsHead()
    {
        using RedisFront front = RedisFront.Common(", policies: {authorization: {deny: [{keys: [{prefix: 'secret:'}]}]}}");
        using Call client = Call.To(front.Port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Send(RedisFront.Command("SET", "secret:1", Value));
        client.ReadLine()!.ShouldStartWith("-NOPERM");
        client.Send(RedisFront.Command("SET", "k", Value));
        client.ReadLine().ShouldBe("+QUEUED");
        client.Ask("EXEC")!.ShouldStartWith("-EXECABORT");
        client.Ask("EXISTS k").ShouldBe(":0");
    }
}
