using System.Net;
using System.Net.Sockets;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>Ports nobody listens on, below the range the kernel gives to clients. Each is given once.</summary>
internal static class Ports
{
    private const int First = 20000;
    private const int Count = 12000;

    private static int s_next = Environment.ProcessId * 97 % Count;

    public static int Free()
    {
        while (true)
        {
            int port = First + (Interlocked.Increment(ref s_next) % Count);
            using var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken: the next one.
            }
        }
    }
}
