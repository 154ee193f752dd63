using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Listening;

/// <summary>
/// The bound listeners of all loops, kept in step with the snapshot. A listener whose address stays keeps its sockets:
/// only what new connections see changes. Called by one writer at a time.
/// </summary>
internal sealed class ListenerSet(
    IReadOnlyList<LoopWorker> workers, Func<Downstream, ValueTask> serve, SnapshotStore snapshots, UdpServices udp, LoopGuard guard, ILogger log)
{
    private readonly Dictionary<ListenerKey, BoundSockets> _bound = [];
    private readonly Lock _changing = new();
    private long _nextId;
    private bool _stopped;
    private bool _inboundStopped;

    /// <summary>What makes a socket the same socket. The name counts only where the kernel chooses the port.</summary>
    private sealed record ListenerKey(string Address, bool IsUdp, bool Transparent, bool Freebind, string Name);

    private sealed record BoundSockets(ListenerSnapshot Listener, EndPoint Address, IReadOnlyList<ILoopListener> Sockets);

    /// <summary>Listeners that could not be opened, with the reason; empty when all of the snapshot's are open.</summary>
    public IReadOnlyDictionary<string, string> Failures { get; private set; } = new Dictionary<string, string>();

    /// <summary>Name and true address of every open listener.</summary>
    public IReadOnlyList<(string Name, EndPoint Address)> Open
    {
        get
        {
            lock (_changing)
            {
                return [.. _bound.Values.Select(static b => (b.Listener.Name, b.Address))];
            }
        }
    }

    /// <summary>Times accept met a full descriptor table, over all loops.</summary>
    public long DescriptorsExhausted
    {
        get
        {
            lock (_changing)
            {
                return _bound.Values.SelectMany(static b => b.Sockets).OfType<AcceptSocket>().Sum(static s => s.DescriptorsExhausted);
            }
        }
    }

    public void Apply(ProxySnapshot snapshot)
    {
        lock (_changing)
        {
            if (_stopped)
            {
                return;
            }

            Dictionary<ListenerKey, ListenerSnapshot> wanted = [];
            foreach (ListenerSnapshot listener in snapshot.Listeners.Where(IsToBeOpen))
            {
                wanted[KeyOf(listener)] = listener;
            }

            CloseAllBut(wanted);
            Failures = OpenOrUpdate(wanted);
            guard.Listening(_bound.Values.Select(static b => b.Address).OfType<IPEndPoint>());
        }
    }

    /// <summary>Closes every listening socket, for good; open connections go on.</summary>
    public void Stop(bool inboundOnly = false)
    {
        lock (_changing)
        {
            _stopped |= !inboundOnly;
            _inboundStopped = true;
            foreach ((ListenerKey key, BoundSockets bound) in _bound.ToArray())
            {
                if (!inboundOnly || bound.Listener.Direction == TrafficDirection.Inbound)
                {
                    Close(key, bound);
                }
            }
        }
    }

    /// <summary>A listener that was drained does not come back with the next snapshot.</summary>
    private bool IsToBeOpen(ListenerSnapshot listener) =>
        listener.BindToPort && !(_inboundStopped && listener.Direction == TrafficDirection.Inbound);

    private static ListenerKey KeyOf(ListenerSnapshot listener) => new(
        listener.Address.ToString()!,
        listener.IsUdp,
        listener.Transparent,
        listener.Freebind,
        listener.Address is IPEndPoint { Port: 0 } ? listener.Name : "");

    private void CloseAllBut(Dictionary<ListenerKey, ListenerSnapshot> wanted)
    {
        foreach ((ListenerKey key, BoundSockets bound) in _bound.ToArray())
        {
            if (!wanted.ContainsKey(key))
            {
                log.LogInformation("listener {Name}: closed {Address}", bound.Listener.Name, bound.Address);
                Close(key, bound);
            }
        }
    }

    private void Close(ListenerKey key, BoundSockets bound)
    {
        _bound.Remove(key);
        foreach (ILoopListener socket in bound.Sockets)
        {
            socket.Loop.Post(static s => ((ILoopListener)s!).Close(), socket);
        }
    }

    private Dictionary<string, string> OpenOrUpdate(Dictionary<ListenerKey, ListenerSnapshot> wanted)
    {
        Dictionary<string, string> failures = [];
        foreach ((ListenerKey key, ListenerSnapshot listener) in wanted)
        {
            if (_bound.TryGetValue(key, out BoundSockets? bound))
            {
                _bound[key] = bound with { Listener = listener };
                foreach (ILoopListener socket in bound.Sockets)
                {
                    socket.Loop.Post(_ => socket.Listener = listener, null);
                }

                continue;
            }

            try
            {
                _bound[key] = OpenOnLoops(listener);
                log.LogInformation("listener {Name}: open on {Address}", listener.Name, _bound[key].Address);
            }
            catch (IOException error)
            {
                failures[listener.Name] = error.Message;
                log.LogError("{Error}", error.Message);
            }
        }

        return failures;
    }

    private BoundSockets OpenOnLoops(ListenerSnapshot listener)
    {
        EndPoint address = listener.Address;
        var sockets = new List<ILoopListener>();
        try
        {
            // A Unix socket has one queue: one loop serves it.
            foreach (LoopWorker worker in address is IPEndPoint ? workers : workers.Take(1))
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
        socket.Watch(forWriting: false);
        var record = new ConnectionRecord(udp.Reporter, Interlocked.Increment(ref _nextId), accepting.Listener)
        {
            DirectRemote = peer,
            Remote = peer,
        };

        // Runs inline up to its first wait and reports its own end.
        _ = serve(new Downstream(worker, socket, snapshots.Current, accepting.Listener, record));
    }
}
