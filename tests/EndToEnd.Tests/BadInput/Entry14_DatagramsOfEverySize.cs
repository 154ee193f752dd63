using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 14: datagrams from nothing at all to the largest there is pass whole, and a dead upstream port ends one session.</summary>
public sealed class Entry14_DatagramsOfEverySize
{
    private static readonly int[] Sizes = [0, 1, 1472, 1500, 24001, 65507];

    [Fact]
    public async Task Datagrams_OfEverySize_ComeBackWhole()
    {
        using Socket server = Datagram();
        _ = EchoAsync(server);
        var bootstrap = new Bootstrap();
        bootstrap.Cluster("udp", server.LocalEndPoint!);
        int port = bootstrap.UdpListener("udp", "udp");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        int sockets = await proxy.SocketsAtRestAsync();
        using Socket client = Datagram();
        await client.ConnectAsync(IPAddress.Loopback, port);
        foreach (int size in Sizes)
        {
            byte[] sent = RandomNumberGenerator.GetBytes(size);
            await client.SendAsync(sent);
            byte[] received = new byte[65536];
            int count = await client.ReceiveAsync(received).WaitAsync(Patience.Limit);
            received.AsSpan(0, count).SequenceEqual(sent).ShouldBeTrue($"{size} bytes");
        }

        AccessRecord record = await proxy.RecordOfAsync(client.LocalEndPoint!);
        (record.Flags, record.By, record.Details).ShouldBe(("-", "proxy", "udp_session_idle_timeout"));
        (record.Received, record.Sent).ShouldBe((Sizes.Sum(), Sizes.Sum()));
        await proxy.ReturnsToAsync(sockets);
    }

    [Fact]
    public async Task Datagram_ToADeadPort_EndsItsSessionWithUF()
    {
        var bootstrap = new Bootstrap();
        bootstrap.Cluster("udp", new IPEndPoint(IPAddress.Loopback, Bootstrap.FreePort()));
        int port = bootstrap.UdpListener("udp", "udp");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        int sockets = await proxy.SocketsAtRestAsync();
        using Socket client = Datagram();
        await client.ConnectAsync(IPAddress.Loopback, port);
        await client.SendAsync(new byte[10]);

        AccessRecord record = await proxy.RecordOfAsync(client.LocalEndPoint!);
        (record.Flags, record.By, record.Details).ShouldBe(("UF", "upstream", "upstream_port_unreachable"));
        await proxy.ReturnsToAsync(sockets);
    }

    private static Socket Datagram()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private static async Task EchoAsync(Socket server)
    {
        byte[] datagram = new byte[65536];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await server.ReceiveFromAsync(datagram, new IPEndPoint(IPAddress.Any, 0));
                await server.SendToAsync(datagram.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
