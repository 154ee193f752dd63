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

        client.Send(RedisFront.Command("My.Cmd", "k", Value));
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
