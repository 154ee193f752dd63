using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Upstream;

/// <summary>A client's address that an upstream connection leaves from (<c>original_src</c>).</summary>
/// <param name="Address">The client; port 0 leaves the port to the kernel.</param>
/// <param name="Mark">Mark of the packets; 0 for none.</param>
internal readonly record struct SourceAddress(IPEndPoint Address, uint Mark)
{
    /// <summary>Null when the listener does not ask for it, or when client and upstream are of different families.</summary>
    public static SourceAddress? Of(Downstream downstream, EndPoint upstream)
    {
        if (downstream.Listener.Filters.OriginalSource is not { } wanted || downstream.Record.Remote is not { } client || upstream is not IPEndPoint)
        {
            return null;
        }

        if (downstream.Listener.Filters.OriginalSourceDisabled?.Contains(downstream.Record.Local?.Port ?? 0) == true)
        {
            return null;
        }

        IPAddress address = client.Address.IsIPv4MappedToIPv6 ? client.Address.MapToIPv4() : client.Address;
        return address.AddressFamily == upstream.AddressFamily
            ? new SourceAddress(new IPEndPoint(address, wanted.BindPort ? client.Port : 0), wanted.Mark)
            : null;
    }

    /// <summary>Lets the socket take an address this machine does not have; an errno, 0 on success.</summary>
    public int Prepare(int fd, AddressFamily family)
    {
        bool transparent = family == AddressFamily.InterNetworkV6
            ? SocketOptions.TrySetInt(fd, SocketOptions.SolIpv6, SocketOptions.Ipv6Transparent, 1)
            : SocketOptions.TrySetInt(fd, SocketOptions.SolIp, SocketOptions.IpTransparent, 1);
        return transparent && (Mark == 0 || SocketTuning.Mark(fd, Mark)) ? 0 : Marshal.GetLastSystemError();
    }
}
