using System.Net;
using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
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
        using RedisFront front = RedisFront.OneLoop(hostile.Address.ToString()!);
        front.Beside(() =>
        {
            using Call client = Call.To(front.Port);
            client.Send(RedisFront.Command("GET", "k"));
            client.EndSending();
            client.Ends().ShouldBeTrue();
            front.EndedWithReason();
        });
        Wait.Until(() => front.Proxy.Stat("meshl4.buffers_rented") == 0, "nothing is held for what was declared");
    }

    /// <summary>What comes before an answer has told what it is is held, and so has a bound: an attribute of version 3 may be as long as a server likes.</summary>
    [Fact]
    public async Task AttributeWithoutAnEnd_IsHeldToABound_AndFailsItsRequests()
    {
        using var hostile = new TcpListener(IPAddress.Loopback, 0);
        hostile.Start();
        Task<long> taken = FloodAsync(hostile, "|1\r\n$1\r\nk\r\n$536870912\r\n");
        using RedisFront front = RedisFront.OneLoopWithTime(hostile.LocalEndpoint.ToString()!);
        using Call client = Call.To(front.Port);
        front.Beside(() =>
        {
            client.Send(RedisFront.Command("GET", "k"));
            client.ReadLine()!.ShouldStartWith("-");
        });
        (await taken).ShouldBeLessThan(64 << 20);
        Wait.Until(() => front.Proxy.Stat("meshl4.buffers_rented") == 0, "nothing is held any more");
    }

    /// <summary>Answers the first request with a beginning and bytes without an end; how many were taken.</summary>
    private static async Task<long> FloodAsync(TcpListener server, string beginning)
    {
        using Socket socket = await server.AcceptSocketAsync();
        byte[] bytes = new byte[64 * 1024];
        await socket.ReceiveAsync(bytes);
        long sent = await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(beginning));
        try
        {
            while (sent < 256 << 20)
            {
                sent += await socket.SendAsync(bytes);
            }
        }
        catch (SocketException)
        {
            // Closed.
        }

        return sent;
    }

    /// <summary>Answers that the proxy itself looks into: parts that it merges, cursors that it changes, states that it keeps.</summary>
    [Theory]
    [InlineData("MGET a b")]
    [InlineData("DEL a b")]
    [InlineData("DBSIZE")]
    [InlineData("KEYS *")]
    [InlineData("SCAN 0")]
    [InlineData("HELLO 3")]
    [InlineData("SUBSCRIBE c")]
    public void Answer_ThatIsLookedInto_EndsItsConnectionOnly(string command)
    {
        foreach (string answer in (string[])["*4294967297\r\n:1\r\n", "$9223372036854775807\r\nx", ":99999999999999999999\r\n", "*2\r\n$4294967297\r\n1\r\n"])
        {
            using TestKit.Peer one = TestKit.Peer.Banner(answer);
            using TestKit.Peer two = TestKit.Peer.Banner(answer);
            using RedisFront front = RedisFront.OneLoop(one.Address.ToString()!, two.Address.ToString()!);
            front.Beside(() =>
            {
                using Call client = Call.To(front.Port);
                client.Send(command + "\r\n");
                client.EndSending();
                client.Ends().ShouldBeTrue(command + ": " + answer);
            });
            Wait.Until(() => front.Proxy.Stat("meshl4.buffers_rented") == 0, "nothing is held for what was declared");
        }
    }

    [Theory]
    [InlineData("$9223372036854775807\r\nx", ScanStatus.Bad)]
    [InlineData("$18446744073709551616\r\nx", ScanStatus.Bad)]
    [InlineData("*4294967297\r\n:1\r\n", ScanStatus.Bad)]
    [InlineData("*9223372036854775807\r\n:1\r\n", ScanStatus.Bad)]
    [InlineData("%9223372036854775807\r\n:1\r\n", ScanStatus.Bad)]
    [InlineData("%4611686018427387904\r\n:1\r\n", ScanStatus.Bad)]
    [InlineData("?what\r\n", ScanStatus.Bad)]
    [InlineData("$-2\r\n", ScanStatus.Bad)]
    public void Answer_ThatIsNone_OverflowsNothingInTheCodec(string answer, ScanStatus ending)
    {
        ScannedFrame[] frames = RespScan.WithoutMemory(Side.Upstream, answer);
        frames[^1].Status.ShouldBe(ending);
        RespScan.CutAnywhere(Side.Upstream, answer);
    }
}
