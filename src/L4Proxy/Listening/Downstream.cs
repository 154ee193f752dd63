using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sniffing;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>An accepted connection on its way through <see cref="ConnectionPath"/>. Belongs to one loop at a time.</summary>
internal sealed class Downstream(LoopWorker worker, LoopSocket socket, ProxySnapshot snapshot, ListenerSnapshot listener, ConnectionRecord record)
{
    private readonly List<Action<ResponseFlags, string>> _cancels = new(1);
    private Action? _drain;
    private Func<ResponseFlags, string, bool>? _expire;
    private SocketPipe? _pipe;

    public LoopWorker Worker { get; private set; } = worker;

    public EventLoop Loop => Worker.Loop;

    public LoopSocket Socket { get; private set; } = socket;

    /// <summary>The configuration at accept, of which a connection never sees two; none from <see cref="ForgetSnapshot"/> on.</summary>
    public ProxySnapshot Snapshot { get; private set; } = snapshot;

    public ListenerSnapshot Listener { get; set; } = listener;

    public ConnectionRecord Record { get; } = record;

    /// <summary>What sniffing found; <see cref="SniffResult.Raw"/> until then.</summary>
    public SniffResult Sniffed { get; set; } = SniffResult.Raw;

    /// <summary>Where the client wanted to go, when that is known from the kernel, TPROXY or a PROXY header.</summary>
    public IPEndPoint? OriginalDestination => Record.LocalRestored ? Record.Local : null;

    /// <summary>The connection as a pipe; made when first asked for, since a plain relay needs none.</summary>
    public SocketPipe Pipe => _pipe ??= new SocketPipe(Socket);

    public SocketPipe? PipeIfAny => _pipe;

    /// <summary>The client's end of stream was read: nothing unread can turn closing into a reset.</summary>
    public bool ReachedEnd { get; set; }

    /// <summary>
    /// Closed in order whatever the record says: the client was told everything in its own protocol on the socket itself, failures too, or
    /// nothing is left undelivered. Last words arrive.
    /// </summary>
    public bool EndsInOrder { get; set; }

    /// <summary>Counted in the process-wide gate.</summary>
    public bool HoldsGate { get; set; }

    /// <summary>The limits of its chain this connection counts against; null for none.</summary>
    public List<ConnectionLimitSnapshot>? HeldLimits { get; set; }

    /// <summary>Values that filters noted for those behind them, by object key; null for none.</summary>
    public Dictionary<string, string>? FilterState { get; set; }

    /// <summary>Ends the connection when its chain was replaced and the time to finish is over; null while its chain runs.</summary>
    public LoopTimer? DrainTimer { get; set; }

    /// <summary>Where a chain that a codec rule took from <c>tcp_proxy</c> relays it as plain TCP; default for other connections.</summary>
    public ImmutableArray<WeightedClusterSnapshot> RelayedTo { get; set; }

    /// <summary>Whether the drain deadline has struck this connection.</summary>
    public bool IsCanceled { get; private set; }

    /// <summary>
    /// The terminal has what it needs. A connection may stay for days, and would keep in memory whatever is replaced meanwhile, of every
    /// cluster there is.
    /// </summary>
    public void ForgetSnapshot() => Snapshot = ProxySnapshot.Empty;

    /// <summary>
    /// Has another loop serve this connection; nobody uses its socket or its pipe. To be awaited. A drain time that runs is over: who looks at
    /// the connection where it arrives begins it anew.
    /// </summary>
    public LoopMove MoveTo(LoopWorker target) => new(this, target);

    /// <summary>Leaves its loop; the descriptor stays open. For <see cref="LoopMove"/>.</summary>
    internal int Leave()
    {
        Worker.Connections.Remove(this);
        if (DrainTimer is { } pending)
        {
            Loop.Timers.Cancel(pending);
            DrainTimer = null;
        }

        _pipe = null;
        return Socket.Release();
    }

    /// <summary>Belongs to another loop from here on, which is the calling one.</summary>
    internal void Enter(LoopWorker worker, LoopSocket socket)
    {
        (Worker, Socket) = (worker, socket);
        worker.Connections.Add(this);
    }

    /// <summary>Registers what ends this connection from outside: a relay's cancel, or closing the sockets.</summary>
    public void OnCancel(Action<ResponseFlags, string> cancel) => _cancels.Add(cancel);

    /// <summary>Registers what ends this connection as soon as nothing is due. Terminals that cannot tell register nothing.</summary>
    public void OnDrain(Action drain) => _drain = drain;

    /// <summary>Registers what ends this connection in order when its time is over; false when it cannot. Before the relay it has none.</summary>
    public void OnExpire(Func<ResponseFlags, string, bool> expire) => _expire = expire;

    /// <summary>The time of this connection is over (drain): it ends in order where nothing is owed to either side, else by reset. On the loop.</summary>
    public void Expire(ResponseFlags flags, string details)
    {
        if (!IsCanceled && _expire?.Invoke(flags, details) != true)
        {
            Cancel(flags, details);
        }
    }

    /// <summary>The process is to end: who waits for nothing need not wait for the deadline. On the loop.</summary>
    public void Drain() => _drain?.Invoke();

    /// <summary>Ends the connection from outside its own flow (drain deadline, maximum duration). On the loop.</summary>
    public void Cancel(ResponseFlags flags, string details)
    {
        if (IsCanceled)
        {
            return;
        }

        IsCanceled = true;
        Record.Fail(flags, EndedBy.Proxy, details);
        foreach (Action<ResponseFlags, string> cancel in _cancels.ToArray())
        {
            cancel(flags, details);
        }

        Close(reset: true);
    }

    /// <summary>Closes in order, with an answer on its way that must not be lost to bytes left unread.</summary>
    public void CloseAfterLastWords()
    {
        if (EndsInOrder && !Socket.IsClosed)
        {
            LingeringClose.Start(Socket);
        }
        else if (_pipe is { } pipe)
        {
            pipe.CloseAfterLastWords();
        }
        else
        {
            Socket.Close();
        }
    }

    public void Close(bool reset)
    {
        if (_pipe is { } pipe)
        {
            pipe.Close(reset);
        }
        else if (reset)
        {
            Socket.Abort();
        }
        else
        {
            Socket.Close();
        }
    }
}
