using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Capture;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>Lets clients over TCP in on one loop: as many as are allowed, and not the proxy itself.</summary>
internal sealed class DnsStreamListener(DnsResolver resolver, LoopGuard guard)
{
    /// <exception cref="IOException">The address cannot be bound.</exception>
    public AcceptSocket Open(ListenerSnapshot listener, EndPoint address) =>
        AcceptSocket.Open(resolver.Loop, listener, address, (socket, fd, peer) => Accepted(socket, fd, peer));

    private void Accepted(AcceptSocket listening, int fd, IPEndPoint? peer)
    {
        int port = ((IPEndPoint)listening.Listener.Address).Port;
        SocketTuning.NoDelay(fd);
        var socket = new LoopSocket(resolver.Loop, fd);
        if (socket.Watch(forWriting: false) != 0)
        {
            return;
        }

        if (listening.Listener.Transparent && SocketTuning.LocalEndPoint(fd) is { } local && local.Port == port && !IPAddress.IsLoopback(local.Address))
        {
            // Captured clients go to a server's port; ours is no server's, for anybody but the pod itself.
            socket.Abort();
        }
        else if (IsOwn(fd, peer))
        {
            Interlocked.Increment(ref resolver.Shared.Counters.Loops);
            socket.Abort();
        }
        else if (!resolver.Shared.TcpClients.TryEnter())
        {
            Interlocked.Increment(ref resolver.Shared.Counters.TcpRefused);
            socket.Abort();
        }
        else
        {
            DnsStreamSession.Start(resolver, guard, socket);
        }
    }

    private bool IsOwn(int fd, IPEndPoint? peer)
    {
        if (peer is null)
        {
            return false;
        }

        IPEndPoint? destination = OriginalDestination.TryGet(fd, peer.Address, out IPEndPoint original) ? original : SocketTuning.LocalEndPoint(fd);
        return guard.IsOwnUpstream(ProtocolType.Tcp, peer, destination);
    }
}
