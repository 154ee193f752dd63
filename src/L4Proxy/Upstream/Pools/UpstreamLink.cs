using System.Net;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

internal enum LinkState { Connecting, Open, Closed }

/// <summary>
/// One connection to a server, used by many clients of its loop or by one. Requests are appended and sent once a turn; what
/// is read is given out at once, straight from the loop's receive buffer. Plain methods driven by readiness: no task, no
/// allocation a request. How answers find their requests is the subclass's.
/// </summary>
internal abstract partial class UpstreamLink<TCodec> : ISocketOwner
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>Bytes waiting for the server above which clients are not read from.</summary>
    public const int HighWatermark = 1024 * 1024;

    /// <summary>Bytes of a frame that are held at most before it has told what it is.</summary>
    protected const int MostUnknown = 1024 * 1024;

    private const int LowWatermark = 256 * 1024;

    /// <summary>So much of one answer is progress: without any, a server that sends a byte now and then would be waited for.</summary>
    private const int Portion = 64 * 1024;

    private const int RoundsPerTurn = 8;

    private readonly List<XRpcSession<TCodec>> _waitingForRoom = [];
    private UpstreamConnection? _connection;
    private byte[]? _held;
    private int _heldCount;
    private bool _dirty;
    private bool _countsRequests;
    private int _counted;
    private int _portion;

    protected UpstreamLink(XRpcLoop<TCodec> owner, UpstreamPool<TCodec> pool, ClusterSnapshot cluster, EndpointSnapshot endpoint, ConnectionProfile profile)
    {
        (Owner, Pool, Cluster, Endpoint, Profile) = (owner, pool, cluster, endpoint, profile);
        Output = new OutputQueue(owner.Loop.Memory);
        Codec = TCodec.Start(Side.Upstream, CodecLimits.Default);
        LastReadMs = LastUsedMs = owner.Loop.NowMilliseconds;
    }

    public XRpcLoop<TCodec> Owner { get; }

    public UpstreamPool<TCodec> Pool { get; }

    public ClusterSnapshot Cluster { get; }

    public EndpointSnapshot Endpoint { get; }

    public ConnectionProfile Profile { get; }

    public LinkState State { get; private set; }

    /// <summary>Requests on their way; write here, add the pending entry, then <see cref="MarkDirty"/>.</summary>
    public OutputQueue Output { get; }

    /// <summary>The client that has this connection for itself; null for shared and for idle private ones.</summary>
    public XRpcSession<TCodec>? PinnedTo
    {
        get;
        set
        {
            Cluster.State.AddPinned((value is null ? 0 : 1) - (field is null ? 0 : 1));
            field = value;
        }
    }

    /// <summary>Connected once, and in the state of its profile: before that nobody had any state there.</summary>
    public bool IsReady { get; private set; }

    /// <summary>Made for one client at a time.</summary>
    public bool IsPrivate { get; init; }

    /// <summary>Frames pass in both directions as they come.</summary>
    public bool IsRelaying { get; set; }

    /// <summary>The server said that it takes no more requests, or its address left the configuration.</summary>
    public bool IsDraining { get; set; }

    /// <summary>A request that is about to be sent to several servers has it: not to be closed for the place of another.</summary>
    public bool IsChosen { get; set; }

    /// <summary>Owes an answer for longer than allowed: takes nothing new until it has gone on.</summary>
    public bool IsSuspect { get; set; }

    /// <summary>Was given out although it takes nothing new, as there may be no connection more to its address.</summary>
    public bool IsLastResort { get; set; }

    public long LastReadMs { get; private set; }

    /// <summary>Stopwatch ticks of the last <see cref="Portion"/> of a long answer: while one comes, nobody's time is over.</summary>
    protected long FlowsAt { get; private set; }

    /// <summary>Stopwatch ticks of the last answer, or of when it was connected.</summary>
    protected long AnsweredAt { get; private set; }

    public long LastUsedMs { get; set; }

    /// <summary>Whether new requests of any client may be sent here.</summary>
    public bool CanTake => State != LinkState.Closed && !IsDraining && !IsSuspect && StalledBy is null && !IsFull;

    /// <summary>Requests whose answers are due.</summary>
    public abstract int InFlight { get; }

    protected abstract bool IsFull { get; }

    /// <summary>Whether anybody besides a client waits for answers here; whether anybody does, for null.</summary>
    public abstract bool HasOthersThan(XRpcSession<TCodec>? client);

    /// <summary>Whether what comes next from here for a client is what it is to get next; of what it gets out of turn a part may be held already.</summary>
    public abstract bool IsInTurnOf(XRpcSession<TCodec> client);

    protected TCodec Codec;
    protected FrameHead Reply;

    /// <summary>Whether a request is in flight whose answer may never come.</summary>
    public virtual bool IsBlocked => false;

    /// <summary>An id for the next request of this connection; 0 where requests have none. False when no more fit.</summary>
    public abstract bool TryReserve(out ulong id);

    /// <summary>Notes a request whose bytes were just appended.</summary>
    /// <returns>Where to fill it in, at once.</returns>
    public abstract ref Pending<TCodec> Add();

    /// <summary>Nobody waits for a request any more. False when its entry has to stay, which its answer then removes.</summary>
    public virtual bool TryForget(ulong id) => false;

    /// <summary>Gives up requests whose clients have gone. Where answers come in order their entries stay, for the answers behind.</summary>
    public virtual void ForgetGone()
    {
    }

    /// <summary>Gives up requests that are over their time.</summary>
    /// <param name="now">Stopwatch ticks.</param>
    public abstract void ExpireRequests(long now);

    /// <summary>Asks the server for a sign of life; false when the protocol has no way to.</summary>
    protected abstract bool WritePing();

    /// <summary>Takes what the server sent.</summary>
    /// <returns>Bytes taken; the rest is given again with more behind it.</returns>
    protected abstract int Take(Span<byte> bytes);

    /// <summary>Answers, or sends elsewhere, every request in flight. The connection is closed already.</summary>
    protected abstract void FailPending(LocalReplyReason reason, ReadOnlySpan<byte> rawReply);

    /// <summary>Begins to connect; requests may be appended at once.</summary>
    public void Open()
    {
        if (!Profile.Preamble.IsEmpty)
        {
            AppendPreamble();
        }

        _ = ConnectAsync();
    }

    /// <summary>Sends at the end of the turn.</summary>
    public void MarkDirty()
    {
        if (!_dirty)
        {
            _dirty = true;
            Owner.FlushLater(this);
        }
    }

    /// <summary>Sends what there is. At the end of the turn, or when the socket can take more.</summary>
    public void Flush()
    {
        _dirty = false;
        if (State != LinkState.Open)
        {
            return;
        }

        OutputQueue queue = Sendable;
        long before = queue.Length;
        bool alive = queue.SendTo(_connection!.Socket);
        Interlocked.Add(ref Cluster.State.Counters.CxTxBytesTotal, before - queue.Length);
        if (!alive)
        {
            Close(LocalReplyReason.UpstreamClosed, reset: true);
        }
        else if (_waitingForRoom.Count > 0 && Output.Length < LowWatermark)
        {
            WakeWaiting();
        }
    }

    /// <summary>Takes a request into the count of its cluster, before it is sent; false beyond the cluster's limit.</summary>
    public bool TryCount(CircuitBreakerLimits limits)
    {
        if (State == LinkState.Closed)
        {
            // It failed at once and takes no request: nobody would give the place back.
            return true;
        }

        _countsRequests = true;
        Recount();
        bool fits = Cluster.State.TryAcquireRequest(limits);
        _counted += fits ? 1 : 0;
        return fits;
    }

    /// <summary>Tells the cluster of requests that ended, once one of this connection was counted.</summary>
    public void Recount()
    {
        if (_countsRequests && InFlight is var now && now != _counted)
        {
            Cluster.State.AddRequests(now - _counted);
            _counted = now;
        }
    }

    /// <summary>Whether the server took enough of what was sent to it that more may be.</summary>
    public bool HasRoom => Output.Length < HighWatermark;

    /// <summary>Whether a client has to wait before it sends more here; it is told when there is room.</summary>
    public bool MustWait(XRpcSession<TCodec> session)
    {
        if (HasRoom)
        {
            return false;
        }

        TellWhenReady(session);
        return true;
    }

    /// <summary>A client waits for this connection; it is told when it may go on, and when this has closed.</summary>
    public void TellWhenReady(XRpcSession<TCodec> session)
    {
        if (!_waitingForRoom.Contains(session))
        {
            _waitingForRoom.Add(session);
        }
    }

    /// <summary>It is in the state of its profile.</summary>
    protected void BecomeReady()
    {
        IsReady = true;
        WakeWaiting();
    }

    /// <summary>A part of an answer came that is not its end.</summary>
    protected void PartCame(int bytes, long now)
    {
        _portion += bytes;
        if (_portion >= Portion)
        {
            (_portion, FlowsAt, IsSuspect) = (0, now, false);
        }
    }

    /// <summary>An answer is whole.</summary>
    protected void AnswerCame(long length, long now)
    {
        (_portion, AnsweredAt, IsSuspect) = (0, now, false);
        if (length > Portion)
        {
            FlowsAt = now;
        }
    }

    public void OnSocketReady(LoopSocket socket)
    {
        if (socket.Readable)
        {
            Read();
        }

        if (State == LinkState.Open && socket.Writable && !Sendable.IsEmpty)
        {
            // Its server takes what it had not taken before: it is in use, also where nobody waits for an answer.
            LastUsedMs = Owner.Loop.NowMilliseconds;
            Flush();
        }
    }

    /// <summary>Reads until nothing is there, a client stalls it, or others should have their turn. A defect of a codec costs this connection, and no other.</summary>
    public void Read()
    {
        try
        {
            ReadAnswers();
        }
#pragma warning disable CA1031 // Whatever it is, and wherever: who waits here is told.
        catch (Exception defect)
#pragma warning restore CA1031
        {
            Owner.Loop.Fault(defect);
            Close(LocalReplyReason.UpstreamBroken, reset: true);
        }
    }

    private void ReadAnswers()
    {
        for (int round = 0; State == LinkState.Open && StalledBy is null && _connection!.Socket.Readable; round++)
        {
            if (round == RoundsPerTurn)
            {
                Owner.Loop.Requeue(_connection.Socket);
                return;
            }

            nint count = Receive(_connection.Socket, out Span<byte> bytes);
            if (count > 0)
            {
                Interlocked.Add(ref Cluster.State.Counters.CxRxBytesTotal, count);
                LastReadMs = Owner.Loop.NowMilliseconds;
                TellAlive();
                Keep(bytes, Take(bytes));
                Recount();
                if (IsEnding)
                {
                    CloseWhenDone();
                }
            }
            else if (count == 0 || (_connection.Socket.Readable && count != -Errno.EINTR))
            {
                Close(LocalReplyReason.UpstreamClosed, reset: count != 0);
            }
        }
    }

    /// <summary>The limit at which it was not opened, in the words of an error; null where none was reached.</summary>
    public string? RefusedFor { get; private set; }

    /// <summary>It is not opened: a limit is reached.</summary>
    /// <param name="limit">In the words of an error.</param>
    public void RefuseFor(string limit)
    {
        RefusedFor = limit;
        Close(LocalReplyReason.Overflow, reset: false);
    }

    /// <summary>Closes, and tells everybody who waits. Twice does nothing.</summary>
    /// <param name="reason">Why, for the answers.</param>
    /// <param name="reset">Whether the server is told with a reset.</param>
    /// <param name="rawReply">The server's own words, to be passed on in place of the proxy's; empty for none.</param>
    public void Close(LocalReplyReason reason, bool reset, ReadOnlySpan<byte> rawReply = default)
    {
        if (State == LinkState.Closed)
        {
            return;
        }

        State = LinkState.Closed;
        Pool.Remove(this);
        _connection?.Close(reset);
        _preamble?.Clear();
        Output.Clear();
        XRpcSession<TCodec>? pinned = PinnedTo;
        FailPending(reason, rawReply);
        Recount();
        pinned?.PinnedClosed(this, reason, inOrder: !reset && reason == LocalReplyReason.UpstreamClosed, rawReply);
        WakeWaiting();
        if (_held is not null)
        {
            Owner.Loop.Memory.Return(_held);
            _held = null;
        }
    }

    private unsafe nint Receive(LoopSocket socket, out Span<byte> bytes)
    {
        LoopMemory memory = Owner.Loop.Memory;
        if (_heldCount == 0)
        {
            nint count = socket.Receive(memory.Scratch, memory.ScratchLength);
            bytes = memory.ScratchArray.AsSpan(0, (int)Math.Max(count, 0));
            return count;
        }

        if (_held!.Length - _heldCount < LoopMemory.SmallBlock)
        {
            byte[] larger = memory.Rent(_held.Length * 2);
            _held.AsSpan(0, _heldCount).CopyTo(larger);
            memory.Return(_held);
            _held = larger;
        }

        fixed (byte* start = _held)
        {
            nint count = socket.Receive(start + _heldCount, _held.Length - _heldCount);
            bytes = _held.AsSpan(0, _heldCount + (int)Math.Max(count, 0));
            return count;
        }
    }

    /// <summary>Keeps what was not taken for the next read.</summary>
    private void Keep(Span<byte> bytes, int taken)
    {
        int rest = bytes.Length - taken;
        if (State == LinkState.Closed || (rest == 0 && _held is null))
        {
            _heldCount = 0;
            return;
        }

        if (rest == 0)
        {
            Owner.Loop.Memory.Return(_held!);
            (_held, _heldCount) = (null, 0);
            return;
        }

        _held ??= Owner.Loop.Memory.Rent(Math.Max(rest + LoopMemory.SmallBlock, LoopMemory.MediumBlock));
        bytes[taken..].CopyTo(_held);
        _heldCount = rest;
    }

    private void WakeWaiting()
    {
        foreach (XRpcSession<TCodec> session in _waitingForRoom)
        {
            Owner.Attend(session);
        }

        _waitingForRoom.Clear();
    }

    private async ValueTask ConnectAsync()
    {
        if (!Cluster.State.TryAcquire(Cluster.Limits) && !(Pool.TryMakeRoom(IsPrivate, Cluster.Limits.MaxConnections) && Cluster.State.TryAcquire(Cluster.Limits)))
        {
            Interlocked.Increment(ref Cluster.State.Counters.CxOverflow);
            RefuseFor(UpstreamLimit.Connections);
            return;
        }

        Interlocked.Increment(ref Cluster.State.Counters.CxTotal);
        Endpoint.State.Opened();
        ConnectResult result = await ConnectAttempt.ConnectAsync(Owner.Loop, Endpoint.Address, Cluster, null, Owner.Guard);
        if (result.Socket is not { } socket)
        {
            ConnectFailed(result);
            return;
        }

        var connection = new UpstreamConnection(socket, Cluster, Endpoint, result.Local, Owner.Guard);
        if (State == LinkState.Closed)
        {
            connection.Close(reset: true);
            return;
        }

        _connection = connection;
        State = LinkState.Open;
        LastReadMs = Owner.Loop.NowMilliseconds;
        AnsweredAt = Owner.Now();
        socket.Owner = this;
        if (Profile.Replies == 0)
        {
            BecomeReady();
        }

        MarkDirty();
        OnSocketReady(socket);
    }

    private void ConnectFailed(in ConnectResult result)
    {
        Endpoint.State.Closed();
        Endpoint.State.Failed();
        Cluster.State.Release();
        Interlocked.Increment(ref Cluster.State.Counters.CxConnectFail);
        if (result.TimedOut)
        {
            Interlocked.Increment(ref Cluster.State.Counters.CxConnectTimeout);
        }

        TellUnreachable(result.Error);
        Close(LocalReplyReason.ConnectFailed, reset: false);
    }

    /// <summary>Tells server addresses apart in pools.</summary>
    public bool IsTo(EndPoint address, ConnectionProfile profile) => Endpoint.Address.Equals(address) && Profile.Equals(profile);
}
