using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>Makes and binds the sockets of listeners, TCP and UDP alike.</summary>
internal static unsafe class ListeningSocket
{
    /// <summary>A bound, non-blocking descriptor.</summary>
    /// <exception cref="IOException">A call failed; the message names listener, address, call and reason.</exception>
    public static int Open(ListenerSnapshot listener, EndPoint address, int type)
    {
        int fd = SocketCalls.Socket(SocketAddressBytes.Family(address), type | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        if (fd < 0)
        {
            throw CloseAndExplain(fd, "socket", listener, address);
        }

        if (address is IPEndPoint ip)
        {
            Configure(fd, listener, ip);
        }

        byte* bytes = stackalloc byte[SocketAddressBytes.Capacity];
        int length = SocketAddressBytes.Write(address, new Span<byte>(bytes, SocketAddressBytes.Capacity));
        return SocketCalls.Bind(fd, bytes, length) < 0 ? throw CloseAndExplain(fd, "bind", listener, address) : fd;
    }

    /// <summary>Reads errno, closes, and says what failed.</summary>
    public static IOException CloseAndExplain(int fd, string call, ListenerSnapshot listener, EndPoint address)
    {
        string reason = Marshal.GetPInvokeErrorMessage(Marshal.GetLastSystemError());
        if (fd >= 0)
        {
            Descriptors.Close(fd);
        }

        return new IOException($"listener {listener.Name}: {call} {address}: {reason}");
    }

    private static void Configure(int fd, ListenerSnapshot listener, IPEndPoint address)
    {
        SocketTuning.ReuseAddress(fd);
        SocketTuning.ReusePort(fd);
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            // Envoy's default: an IPv6 listener takes IPv4 only when ipv4_compat says so.
            SocketTuning.OnlyIpv6(fd);
        }

        if (listener.Freebind)
        {
            SocketTuning.Freebind(fd);
        }

        if (listener.Transparent)
        {
            TransparentSocket.Enable(fd, address.AddressFamily);
        }
    }
}
