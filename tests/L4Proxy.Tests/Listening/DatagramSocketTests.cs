using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Listening;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Listening;

public sealed class DatagramSocketTests
{
    /// <summary>The second call of a connected socket after an ICMP error fails with that error and sends nothing.</summary>
    [Fact]
    public unsafe void Send_ErrorOfAnEarlierDatagramPending_SendsAllTheSame()
    {
        using Socket sender = Bound();
        IPEndPoint target;
        using (Socket gone = Bound())
        {
            target = (IPEndPoint)gone.LocalEndPoint!;
        }

        sender.Connect(target);
        sender.Send([1]);
        sender.Poll(TimeSpan.FromSeconds(20), SelectMode.SelectRead); // comes back as soon as the error is there
        using var there = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 20_000 };
        there.Bind(target);
        long sentAgain = 0;
        byte datagram = 7;
        DatagramSocket.Send((int)sender.Handle, &datagram, 1, ref sentAgain).ShouldBe(0);
        sentAgain.ShouldBe(1);
        byte[] received = new byte[10];
        there.Receive(received).ShouldBe(1);
        received[0].ShouldBe((byte)7);
        DatagramSocket.Send((int)sender.Handle, &datagram, 1, ref sentAgain).ShouldBe(0);
        sentAgain.ShouldBe(1);
    }

    private static Socket Bound()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }
}
