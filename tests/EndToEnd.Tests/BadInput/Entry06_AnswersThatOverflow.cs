using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 6: a count in an answer, times the size of an element, overflowed. Servers are hostile too.</summary>
public sealed class Entry06_AnswersThatOverflow
{
    [Theory]
    [InlineData("$9223372036854775807\r\nx")]
    [InlineData("$18446744073709551616\r\nx")]
    [InlineData("*4294967297\r\n:1\r\n")]
    [InlineData("*9223372036854775807\r\n:1\r\n")]
    [InlineData("%9223372036854775807\r\n:1\r\n")]
    [InlineData("?what\r\n")]
    [InlineData("$-2\r\n")]
    public void Answer_ThatIsNone_EndsItsConnectionOnly(string answer)
    {
        using TestKit.Peer hostile = TestKit.Peer.Banner(answer);
        using var front = new RedisFront(hostile.Address.ToString());
        using Call client = Call.To(front.Port);
        client.Send(RedisFront.Command("GET", "k"));
        client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        client.Ends().ShouldBeTrue();
        front.Witness();
        Wait.Until(() => front.Proxy.Stat("meshl4.buffers_rented") == 0, "nothing is held for what was declared");
    }
}
