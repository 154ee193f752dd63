using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>Clients of UDP servers, in a namespace.</summary>
internal static class UdpClients
{
    /// <summary>A client on a port of the kernel's choice. It is not connected: it would take an answer from anywhere, and says where one came from.</summary>
    public static Socket Open(string ns, string towards) => NetworkNamespace.In(ns, () =>
    {
        bool v6 = towards.Contains(':');
        var socket = new Socket(v6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 30_000 };
        socket.Bind(new IPEndPoint(v6 ? IPAddress.IPv6Any : IPAddress.Any, 0));
        return socket;
    });

    /// <summary>Sends random bytes to an echo and takes them back, from where they were sent to.</summary>
    public static void Echoes(Socket client, string server, int port, int size)
    {
        var to = new IPEndPoint(IPAddress.Parse(server), port);
        byte[] sent = RandomNumberGenerator.GetBytes(size);
        client.SendTo(sent, to);
        byte[] received = new byte[65536];
        EndPoint from = new IPEndPoint(client.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        int length = client.ReceiveFrom(received, ref from);
        from.ShouldBe(to);
        received.AsSpan(0, length).SequenceEqual(sent).ShouldBeTrue($"{size} bytes to {to}");
    }
}
