using MeshL4.EndToEnd.Tests.Behaviours.Stage;
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
        using var front = new RedisFront(deep.Address.ToString());
        using Call client = Call.To(front.Port);
        client.Send(RedisFront.Command("GET", "k"));
        client.ReadLine().ShouldNotBeNull();
        front.Witness();
    }
}
