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
            throw CloseAndExplain(fd, "socket", listener, address, Marshal.GetLastSystemError());
        }

        if (address is IPEndPoint ip)
        {
            ConfigureOrClose(fd, listener, ip);
        }

        int error = Bind(fd, address);
        if (error == Errno.EADDRINUSE && StaleUnixSocket.TryRemove(address))
        {
            error = Bind(fd, address);
        }

        return error == 0 ? fd : throw CloseAndExplain(fd, "bind", listener, address, error);
    }

    /// <summary>Closes, and says what failed.</summary>
    /// <param name="fd">The descriptor, or -1.</param>
    /// <param name="call">The call that failed.</param>
    /// <param name="listener">Whose socket it was to be.</param>
    /// <param name="address">Where.</param>
    /// <param name="error">errno of the call.</param>
    public static IOException CloseAndExplain(int fd, string call, ListenerSnapshot listener, EndPoint address, int error)
    {
        string reason = Marshal.GetPInvokeErrorMessage(error);
        if (fd >= 0)
        {
            Descriptors.Close(fd);
        }

        return new IOException($"listener {listener.Name}: {call} {address}: {reason}");
    }

    private static int Bind(int fd, EndPoint address)
    {
        byte* bytes = stackalloc byte[SocketAddressBytes.Capacity];
        int length = SocketAddressBytes.Write(address, new Span<byte>(bytes, SocketAddressBytes.Capacity));
        return SocketCalls.Bind(fd, bytes, length) < 0 ? Marshal.GetLastSystemError() : 0;
    }

    private static void ConfigureOrClose(int fd, ListenerSnapshot listener, IPEndPoint address)
    {
        try
        {
            Configure(fd, listener, address);
        }
        catch (InvalidOperationException refused)
        {
            Descriptors.Close(fd);
            throw new IOException($"listener {listener.Name}: {address}: {refused.Message}", refused);
        }
    }

    private static void Configure(int fd, ListenerSnapshot listener, IPEndPoint address)
    {
        // To UDP the first of the two means what the second does, to other processes too.
        if (listener.ReusePort || !listener.IsUdp)
        {
            SocketTuning.ReuseAddress(fd);
        }

        if (listener.ReusePort)
        {
            SocketTuning.ReusePort(fd);
        }

        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            // Envoy's default: an IPv6 listener takes IPv4 only when ipv4_compat says so.
            _ = listener.IsDualStack ? SocketTuning.BothFamilies(fd) : SocketTuning.OnlyIpv6(fd);
        }

        if (listener.Freebind)
        {
            SocketTuning.Freebind(fd);
        }

        if (listener.Transparent)
        {
            TransparentSocket.Enable(fd, address.AddressFamily);
        }

        if (listener.IsUdp)
        {
            DatagramSocket.Ask(fd, address.AddressFamily, DatagramSocket.SourceFor(listener));
        }
    }
}
