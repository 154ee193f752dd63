using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 1: one packet of an inline command with a broken escape ended the process.</summary>
public sealed class Entry01_OnePacketThatThrows
{
    [Theory]
    [InlineData("GET \"x\\x4\"\r\n")]
    [InlineData("GET \"x\\x\r\n")]
    [InlineData("GET 'x\\\r\n")]
    [InlineData("\"\\xzz\" \"\r\n")]
    [InlineData("*3\r\n$3\r\nSET\r\n$-1\r\n")]
    [InlineData("*1\r\n$x\r\n")]
    public void BrokenCommand_CutAnywhere_EndsItsConnectionOnly(string bytes)
    {
        using var front = new RedisFront();
        for (int cut = 0; cut < bytes.Length; cut++)
        {
            using Call client = Call.To(front.Port);
            client.Send(bytes[..cut]);
            Thread.Yield();
            client.Send(bytes[cut..]);
            client.ReadLine().ShouldNotBeNull();
            client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
            client.Ends().ShouldBeTrue();
            front.Witness();
        }
    }
}
