using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 3: an answer of arrays in arrays exhausted the stack.</summary>
public sealed class Entry03_NestedWithoutEnd
{
    [Theory]
    [InlineData("*1\r\n")]
    [InlineData("%1\r\n+k\r\n")]
    [InlineData("|1\r\n+k\r\n")]
    [InlineData("~1\r\n>1\r\n")]
    public void NestedAnswer_HundredThousandDeep_CostsOneRequestAtMost(string level)
    {
        using TestKit.Peer deep = TestKit.Peer.Banner(string.Concat(Enumerable.Repeat(level, 100_000)) + ":1\r\n");
        using RedisFront front = RedisFront.OneLoop(deep.Address.ToString()!);
        front.Beside(() =>
        {
            using Call client = Call.To(front.Port);
            client.Send(RedisFront.Command("GET", "k"));
            client.ReadLine().ShouldNotBeNull();
            client.Dispose();
            front.EndedWithReason();
        });
    }

    [Theory]
    [InlineData("*1\r\n")]
    [InlineData("*1\r\n$1\r\nx\r\n*1\r\n")]
    public void NestedRequest_EndsItsConnectionOnly(string level)
    {
        using RedisFront front = RedisFront.OneLoop();
        using Call client = Call.To(front.Port);
        front.Beside(() =>
        {
            client.Send(string.Concat(Enumerable.Repeat(level, 10_000)));
            Wait.Until(() => front.Proxy.Stat("redis.r.downstream_cx_protocol_error") == 1, "it is taken for a request");
        });
        client.ReadLine().ShouldNotBeNull();
        client.Ends().ShouldBeTrue();
        front.EndedWithReason();
        front.Witness();
    }

    /// <summary>No stack and no memory, however deep: on a thread whose stack would not bear a frame for each level.</summary>
    [Theory]
    [InlineData("*1\r\n")]
    [InlineData("%1\r\n+k\r\n")]
    [InlineData("|1\r\n+k\r\n")]
    [InlineData("~1\r\n>1\r\n")]
    public void NestedAnswer_HundredThousandDeep_TakesNoStackOfTheCodec(string level)
    {
        Exception? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    RespScan.WithoutMemory(Side.Upstream, string.Concat(Enumerable.Repeat(level, 100_000)) + ":1\r\n");
                }
                catch (Exception e)
                {
                    failure = e;
                }
            },
            maxStackSize: 256 * 1024);
        thread.Start();
        thread.Join();
        failure.ShouldBeNull();
    }
}
