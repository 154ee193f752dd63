using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>A listener's sockets, one a loop, and the address they are bound to: the kernel may have chosen its port.</summary>
internal sealed record BoundSockets(ListenerSnapshot Listener, EndPoint Address, IReadOnlyList<ILoopListener> Sockets);

/// <summary>A listener that could not be opened.</summary>
/// <param name="Name">Of the listener.</param>
/// <param name="Resource">Of the resource it came from.</param>
/// <param name="Reason">In words, with name and address.</param>
internal sealed record ListenerFailure(string Name, string Resource, string Reason);

/// <summary>Opens a listener on the loops and takes what it accepts to the connection path.</summary>
internal sealed class ListenerOpening(
    IReadOnlyList<LoopWorker> workers, Func<Downstream, ValueTask> serve, SnapshotStore snapshots, UdpServices udp)
{
    private long _nextId;

    /// <exception cref="IOException">The address cannot be bound; the message names listener, address and reason.</exception>
    public BoundSockets Open(ListenerSnapshot listener)
    {
        EndPoint address = listener.Address;
        var sockets = new List<ILoopListener>();
        try
        {
            // A Unix socket, and one that is not to share its address, has one queue: one loop serves it.
            foreach (LoopWorker worker in address is IPEndPoint && listener.ReusePort ? workers : workers.Take(1))
            {
                ILoopListener socket = listener.IsUdp
                    ? UdpListener.Open(worker, listener, address, udp)
                    : AcceptSocket.Open(worker.Loop, listener, address, (s, fd, peer) => Accepted(worker, s, fd, peer));
                sockets.Add(socket);
                address = SocketTuning.LocalEndPoint(socket.Fd) is { } bound && listener.Address is IPEndPoint ? bound : address;
            }
        }
        catch
        {
            sockets.ForEach(static s => s.Loop.Post(static x => ((ILoopListener)x!).Close(), s));
            throw;
        }

        foreach (ILoopListener socket in sockets)
        {
            socket.Loop.Post(static s => ((ILoopListener)s!).Start(), socket);
        }

        return new BoundSockets(listener, address, sockets);
    }

    private void Accepted(LoopWorker worker, AcceptSocket accepting, int fd, IPEndPoint? peer)
    {
        if (peer is not null)
        {
            SocketTuning.NoDelay(fd);
        }

        var socket = new LoopSocket(worker.Loop, fd);
        int error = socket.Watch(forWriting: false);
        ProxySnapshot snapshot = snapshots.Current;
        ListenerSnapshot listener = ListenerTable.For(snapshot).Newest(accepting.Listener);
        var record = new ConnectionRecord(udp.Reporter, Interlocked.Increment(ref _nextId), listener)
        {
            DirectRemote = peer,
            Remote = peer,
        };
        if (error != 0)
        {
            udp.Reporter.Opened(listener);
            record.Fail(ResponseFlags.OM, EndedBy.Proxy, "epoll_refused_the_connection");
            record.Complete();
            return;
        }

        // Runs inline up to its first wait and reports its own end.
        _ = serve(new Downstream(worker, socket, snapshot, listener, record));
    }
}
