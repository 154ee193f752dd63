using System.Diagnostics;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Terminating.Policies;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// What one loop has of one protocol: the pools, the clients, the clock of their time-outs, and the work of the end of a turn.
/// Touched by that loop only.
/// </summary>
internal sealed class XRpcLoop<TCodec> : ITurnEnd
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private readonly Dictionary<string, UpstreamPool<TCodec>> _byCluster = [];
    private readonly List<UpstreamPool<TCodec>> _pools = [];
    private readonly List<XRpcSession<TCodec>> _sessions = [];
    private readonly SnapshotStore _store;
    private readonly LoopTimer _clock;
    private List<XRpcSession<TCodec>> _attend = [];
    private List<XRpcSession<TCodec>> _attendNow = [];
    private List<UpstreamLink<TCodec>> _flush = [];
    private List<UpstreamLink<TCodec>> _flushNow = [];
    private List<UpstreamLink<TCodec>> _read = [];
    private List<UpstreamLink<TCodec>> _readNow = [];
    private bool _turnEndAsked;
    private bool _someHaveGone;
    private long _roundSeen;

    /// <summary>The clock is armed for longer than with clients.</summary>
    private bool _isSlow;

    public XRpcLoop(LoopWorker worker, SnapshotStore store, LoopGuard guard)
    {
        (Worker, _store, Guard) = (worker, store, guard);
        Exchange = new SessionExchange<TCodec>(this);
        Copying = new SessionExchange<TCodec>(this);
        _clock = new LoopTimer(static state => ((XRpcLoop<TCodec>)state!).Tick(), this);
    }

    public LoopWorker Worker { get; }

    public EventLoop Loop => Worker.Loop;

    public LoopGuard Guard { get; }

    /// <summary>The running configuration: read once for each batch of requests.</summary>
    public ProxySnapshot Snapshot => _store.Current;

    /// <summary>Given to conversations; one for all clients, as only one is asked at a time.</summary>
    public SessionExchange<TCodec> Exchange { get; }

    /// <summary>The same for copies of the request at hand.</summary>
    public SessionExchange<TCodec> Copying { get; }

    /// <summary>For an answer of the proxy's own, or a control frame.</summary>
    public ScratchWriter Local { get; } = new();

    /// <summary>Connections of the parts of a request, while it is being sent.</summary>
    public List<UpstreamLink<TCodec>?> Links { get; } = [];

    /// <summary>For a frame that is changed on its way.</summary>
    public ScratchWriter Edited { get; } = new();

    /// <summary>Writes lines about requests; null when nobody wants any.</summary>
    public IRequestLog? RequestLog { get; init; }

    /// <summary>Says when clients are better served by another loop; null leaves them here.</summary>
    public ClientPlacement? Placement { get; init; }

    public RequestStatePool<TCodec> States { get; } = new();

    /// <summary>Bytes of the blocks held for clients that do not read, of all clients of this loop.</summary>
    public long Backlog { get; set; }

    /// <summary>Backlog above which a client that would add to it is closed: what bounds the memory of all that never read.</summary>
    public long MostBacklog { get; set; } = 256L * 1024 * 1024;

    /// <summary>With clients that hold others back.</summary>
    public SharedPatience Patience { get; } = new();

    /// <summary>When a client was last ended because answers waited for each other: the others have their time from then on.</summary>
    public long GivenUpAtMs { get; set; }

    /// <summary>Pools of this loop.</summary>
    public IEnumerable<UpstreamPool<TCodec>> Pools => _pools;

    /// <summary>Stopwatch ticks; to be read once for a batch.</summary>
    public long Now() => Stopwatch.GetTimestamp();

    public UpstreamPool<TCodec> Pool(string cluster)
    {
        if (!_byCluster.TryGetValue(cluster, out UpstreamPool<TCodec>? pool))
        {
            _byCluster.Add(cluster, pool = new UpstreamPool<TCodec>(this, cluster));
            _pools.Add(pool);
        }

        return pool;
    }

    public void Add(XRpcSession<TCodec> session)
    {
        session.Index = _sessions.Count;
        _sessions.Add(session);
        if (!_clock.IsArmed || _isSlow)
        {
            _isSlow = false;
            Loop.Timers.Arm(_clock, SharedPatience.TickInterval);
        }
    }

    public void Remove(XRpcSession<TCodec> session)
    {
        XRpcSession<TCodec> last = _sessions[^1];
        _sessions[session.Index] = last;
        last.Index = session.Index;
        _sessions.RemoveAt(_sessions.Count - 1);
    }

    /// <summary>Lets a client go on at the end of the turn: only there may it read, since the receive buffer is in use before.</summary>
    public void Attend(XRpcSession<TCodec> session)
    {
        if (!session.IsToBeAttended)
        {
            session.IsToBeAttended = true;
            _attend.Add(session);
            AskTurnEnd();
        }
    }

    /// <summary>Sends what was written to a connection, at the end of the turn.</summary>
    public void FlushLater(UpstreamLink<TCodec> link)
    {
        _flush.Add(link);
        AskTurnEnd();
    }

    /// <summary>Reads from a connection at the end of the turn.</summary>
    public void ReadLater(UpstreamLink<TCodec> link)
    {
        _read.Add(link);
        AskTurnEnd();
    }

    public void OnTurnEnd()
    {
        _turnEndAsked = false;
        (_read, _readNow) = (_readNow, _read);
        foreach (UpstreamLink<TCodec> link in _readNow)
        {
            link.Read();
        }

        _readNow.Clear();
        (_attend, _attendNow) = (_attendNow, _attend);
        foreach (XRpcSession<TCodec> session in _attendNow)
        {
            session.IsToBeAttended = false;
            session.Attend();
        }

        _attendNow.Clear();
        if (_someHaveGone)
        {
            _someHaveGone = false;
            foreach (UpstreamPool<TCodec> pool in _pools)
            {
                pool.ForgetGone();
            }
        }

        (_flush, _flushNow) = (_flushNow, _flush);
        foreach (UpstreamLink<TCodec> link in _flushNow)
        {
            link.Flush();
        }

        _flushNow.Clear();
    }

    /// <summary>
    /// A client ended without all its answers. What it asked for is given up at the end of the turn: connections are walked once for all that went in it.
    /// </summary>
    public void NoteGone()
    {
        _someHaveGone = true;
        AskTurnEnd();
    }

    private void AskTurnEnd()
    {
        if (!_turnEndAsked)
        {
            _turnEndAsked = true;
            Loop.AtTurnEnd(this);
        }
    }

    /// <summary>All clients to another loop, or every second one of those that make work and may go; a loop keeps its only one.</summary>
    private void SendClients(LoopWorker target, bool all)
    {
        bool goes = false;
        foreach (XRpcSession<TCodec> session in _sessions)
        {
            bool counts = all ? session.MayGather : session.MaySpread;
            if (counts && (all || goes))
            {
                session.SendTo(target, spreads: !all);
            }

            goes ^= counts;
        }
    }

    private void Tick()
    {
        long now = Now();
        Patience.Tick();
        if (Placement?.MoveOf(Worker, ref _roundSeen) is { } move)
        {
            SendClients(move.Target, move.All);
        }

        for (int i = _sessions.Count - 1; i >= 0; i--)
        {
            if (i < _sessions.Count)
            {
                _sessions[i].Tick();
            }
        }

        bool anyLink = false;
        for (int i = _pools.Count - 1; i >= 0; i--)
        {
            UpstreamPool<TCodec> pool = _pools[i];
            pool.Tick(now);
            anyLink |= !pool.IsEmpty || pool.HasFailing;
            if (pool.IsEmpty && !Snapshot.Clusters.ContainsKey(pool.Cluster))
            {
                _byCluster.Remove(pool.Cluster);
                _pools.RemoveAt(i);
            }
        }

        // With nobody left to look after, an idle loop sleeps; connections kept for later are looked at once a second.
        if (_sessions.Count > 0)
        {
            Loop.Timers.Arm(_clock, SharedPatience.TickInterval);
        }
        else if (anyLink)
        {
            _isSlow = true;
            Loop.Timers.Arm(_clock, TimeSpan.FromSeconds(1));
        }
    }
}
