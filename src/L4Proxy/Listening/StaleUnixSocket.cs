using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Linux;

namespace MeshL4.L4Proxy.Listening;

/// <summary>The path of a Unix socket whose process ended without removing it: binding there fails for ever.</summary>
internal static class StaleUnixSocket
{
    /// <summary>Removes the path when it is a socket and nobody answers on it. True when it is gone.</summary>
    public static bool TryRemove(EndPoint address)
    {
        if (address is not UnixDomainSocketEndPoint || address.ToString() is not { Length: > 0 } path || path[0] == '@' || !FileTypes.IsSocket(path))
        {
            return false;
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(address);
            return false;
        }
        catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return TryDelete(path);
        }
        catch (SocketException)
        {
            // A full queue, another type of socket, no permission: somebody is there, or nobody can tell.
            return false;
        }
    }

    private static bool TryDelete(string path)
    {
        try
        {
            File.Delete(path);
            return true;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
