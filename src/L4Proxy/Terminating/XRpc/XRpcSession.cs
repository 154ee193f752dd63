using System.Diagnostics;
using System.Threading.Tasks.Sources;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// One client of a protocol: its frames are scanned, routed one by one and sent on connections that other clients use too; answers
/// come back in the order of the requests where the protocol has one. Plain methods driven by readiness, on one loop.
/// </summary>
internal sealed partial class XRpcSession<TCodec> : ISocketOwner, IValueTaskSource
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>Bytes that a client has to take within its time while others wait for it: else a few now and then would be enough.</summary>
    private const int LeastTaken = 64 * 1024;

    /// <summary>A connection to a server has one request at a time, and belongs to it.</summary>
    private static readonly bool IsOneByOne = TCodec.Traits.Order == FrameOrder.PingPong;

    private static readonly bool IsOrdered = TCodec.Traits.Order != FrameOrder.Multiplexed;

    private readonly XRpcLoop<TCodec> _owner;
    private readonly Downstream _downstream;
    private readonly LoopSocket _socket;
    private readonly Conversation<TCodec> _conversation;
    private readonly XRpcStatShard _stats;
    private ManualResetValueTaskSourceCore<bool> _ended;
    private long _lastActivityMs;
    private bool _reachedEnd;
    private bool _completed;
    private bool _inOrder;
    private LocalReplyReason? _lastFailure;

    public XRpcSession(
        XRpcLoop<TCodec> owner, Downstream downstream, XRpcProxySnapshot proxy, Conversation<TCodec> conversation, XRpcStatShard stats)
    {
        (_owner, _downstream, Proxy, _conversation, _stats) = (owner, downstream, proxy, conversation, stats);
        _hashTags = proxy.Redis is { HashTags: true };
        _socket = downstream.Socket;
        _output = new OutputQueue(owner.Loop.Memory);
        _mostHead = proxy.Limits.MaxHeadBytes ?? TCodec.Traits.MaxHead;
        _codec = TCodec.Start(Side.Downstream, new CodecLimits(_mostHead, proxy.Limits.MaxFrameBytes ?? CodecLimits.Default.MaxFrame));
        _lastActivityMs = _lastProgressMs = owner.Loop.NowMilliseconds;
        Spread = (uint)owner.Worker.Random.Next();
    }

    public XRpcProxySnapshot Proxy { get; }

    /// <summary>Place in the loop's list of clients.</summary>
    public int Index { get; set; }

    /// <summary>In the list for the end of the turn.</summary>
    public bool IsToBeAttended { get; set; }

    /// <summary>Nothing more is passed on to this client.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Which of several shared connections, and of several weighted clusters, this client uses.</summary>
    public uint Spread { get; }

    /// <summary>The loop that serves it, as long as it lives.</summary>
    public EventLoop Loop => _owner.Loop;

    private ConnectionRecord Record => _downstream.Record;

    /// <summary>Serves the client to its end; how it ended is in the record.</summary>
    /// <param name="sniffed">Bytes that were read already.</param>
    public ValueTask RunAsync(ReadOnlySpan<byte> sniffed)
    {
        _owner.Add(this);
        _socket.Owner = this;
        _socket.Readable = true;
        if (!sniffed.IsEmpty)
        {
            _held.Keep(_owner.Loop.Memory, sniffed, 0, 0);
        }

        _owner.Attend(this);
        return new ValueTask(this, _ended.Version);
    }

    public void OnSocketReady(LoopSocket socket)
    {
        if (IsClosed)
        {
            return;
        }

        try
        {
            Serve(socket);
        }
#pragma warning disable CA1031 // A defect in a codec ends this client and no other.
        catch (Exception defect)
#pragma warning restore CA1031
        {
            Fail(defect);
        }
    }

    private void Serve(LoopSocket socket)
    {
        if (!_output.IsEmpty && socket.Writable)
        {
            FlushOutput();
        }

        if (socket.Readable && !IsClosed)
        {
            ReadRequests();
            if (_isDraining && !IsClosed && InFlight == 0)
            {
                // What came may have been the end of a frame that has no answer.
                _owner.Attend(this);
            }
        }
    }

    /// <summary>Goes on with what had to wait. At the end of a turn.</summary>
    public void Attend()
    {
        if (IsClosed)
        {
            Complete();
            return;
        }

        try
        {
            FlushAndGoOn();
        }
#pragma warning disable CA1031 // As in OnSocketReady.
        catch (Exception defect)
#pragma warning restore CA1031
        {
            Fail(defect);
        }
    }

    private void FlushAndGoOn()
    {
        if (!_output.IsEmpty)
        {
            FlushOutput();
        }

        if (_stalled is not null && !IsClosed)
        {
            ReleaseStalled(Proxy.Limits.MaxBufferedBytes / 2);
        }

        if (!IsClosed)
        {
            GoOn();
        }
    }

    private void Fail(Exception defect)
    {
        _owner.Loop.Fault(defect);
        End(ResponseFlags.LR, EndedBy.Proxy, "internal_error_" + defect.GetType().Name);
    }

    /// <summary>Ends now, for a reason that is not the client's.</summary>
    public void Abort(ResponseFlags flag, string details) => End(flag, EndedBy.Proxy, details);

    /// <summary>Looks at the time-outs.</summary>
    public void Tick()
    {
        if (IsClosed)
        {
            return;
        }

        long ms = _owner.Loop.NowMilliseconds;
        if (!_isPlaced)
        {
            Place();
        }

        if (!_output.IsEmpty || _stalled is not null)
        {
            CheckProgress(ms);
        }

        ExpectLess();
        if (!IsClosed && Proxy.Replaced?.MaxDownstreamConnectionDuration is { } most && Stopwatch.GetElapsedTime(Record.StartTimestamp) >= most)
        {
            End(ResponseFlags.DT, EndedBy.Proxy, "max_downstream_connection_duration");
        }

        if (!IsOrdered && InFlight > 0 && !IsClosed && _pause == Pause.None && _streaming is null)
        {
            // Where answers have no order, requests in flight have no need of where they went.
            ForgetReplaced(ms);
        }

        if (IsClosed || (InFlight > 0 && !OwesRest) || HasDelayed)
        {
            if (_socket.PeerClosed && !IsClosed && _output.IsEmpty && Proxy.IdleTimeout > TimeSpan.Zero && IdleSince(ms) > Proxy.IdleTimeout.TotalMilliseconds)
            {
                // It said its last, and may have gone unseen: who takes no answer either is not to be told from one that waits.
                End(ResponseFlags.SI, EndedBy.Proxy, "last_answers_timeout");
            }

            return;
        }

        if (AwaitsServer && _output.IsEmpty && IdleSince(ms) > Proxy.Limits.SlowReaderTimeout.TotalMilliseconds)
        {
            End(ResponseFlags.UT, EndedBy.Upstream, Proxy.Codec + "_last_answer_timeout");
        }
        else if (Proxy.IdleTimeout > TimeSpan.Zero && IdleSince(ms) > Proxy.IdleTimeout.TotalMilliseconds)
        {
            End(ResponseFlags.SI, EndedBy.Proxy, "idle_timeout");
        }
        else if (_pause == Pause.None && _streaming is null)
        {
            ForgetReplaced(ms);
        }
    }

    /// <summary>
    /// Only the server can end or resume a client that is not read, on a connection that relays: one behind whom nobody may be any more, as its end would
    /// not be seen.
    /// </summary>
    private bool AwaitsServer => IsRelaying && (_awaitsServersEnd || _lastWords is not null || (_pause == Pause.Relay && (_socket.PeerClosed || _isDraining)));

    /// <summary>Milliseconds without bytes either way: a subscriber that only listens is not idle while it gets messages.</summary>
    private double IdleSince(long now) => now - Math.Max(_lastActivityMs, _lastProgressMs);

    /// <summary>Something waits for this client, or for what it is to get first: not for ever.</summary>
    private void CheckProgress(long ms)
    {
        double most = Proxy.Limits.SlowReaderTimeout.TotalMilliseconds;
        if (_output.IsEmpty)
        {
            // It would take more, but its turn has not come. Where others wait for what is held, one that ends lets them all go on.
            if (ms - Math.Max(_lastProgressMs, _owner.GivenUpAtMs) > most && HoldsOthersBack())
            {
                _owner.GivenUpAtMs = ms;
                End(ResponseFlags.UO, EndedBy.Proxy, "early_answers_over_limit");
            }

            return;
        }

        bool holdsBack = HoldsOthersBack();
        if (_socket.Writable)
        {
            _evidence.TickWritable();
        }
        else if (_evidence.TickFull(Record.BytesSent - _output.Length - _socket.Unacknowledged(), holdsBack ? LeastTaken : 1, ms))
        {
            _lastProgressMs = ms;
        }

        if (ms - _lastProgressMs > (holdsBack ? _owner.Patience.For(_evidence.Reads(ms)) : most))
        {
            EndTooSlow(holdsBack);
        }
    }

    /// <summary>The client takes nothing.</summary>
    private void EndTooSlow(bool holdsBack)
    {
        if (holdsBack)
        {
            _owner.Patience.Closed();
        }

        End(ResponseFlags.SI, EndedBy.Downstream, _stopReading ? "last_answers_not_read" : "downstream_too_slow");
    }

    void IValueTaskSource.GetResult(short token) => _ended.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _ended.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _ended.OnCompleted(continuation, state, token, flags);

    /// <summary>Stops everything; the connection itself is closed at the end of the turn, when nobody uses the receive buffer.</summary>
    private void End(ResponseFlags flag, EndedBy by, string? details)
    {
        if (IsClosed)
        {
            return;
        }

        IsClosed = true;
        _inOrder = flag == ResponseFlags.None;
        if (flag != ResponseFlags.None)
        {
            Record.Fail(flag, by, details!);
        }
        else
        {
            TellLastFailure(by);
        }

        _owner.Attend(this);
    }

    /// <summary>An end in order says how the last request ended, if that was a failure.</summary>
    private void TellLastFailure(EndedBy by)
    {
        switch (_lastFailure)
        {
            case LocalReplyReason.ConnectFailed:
                Record.Fail(ResponseFlags.UF, EndedBy.Upstream, _lastWasRefused ? "upstream_preamble_refused" : "upstream_connect_failure");
                break;
            case LocalReplyReason.NoHealthyUpstream:
                Record.Fail(ResponseFlags.UH, EndedBy.Proxy, "no_healthy_upstream");
                break;
            case LocalReplyReason.NoRoute:
                Record.Fail(ResponseFlags.NR, EndedBy.Proxy, "route_not_found");
                break;
            case LocalReplyReason.UpstreamClosed:
                Record.Fail(ResponseFlags.UC, EndedBy.Upstream, "upstream_closed_with_requests_in_flight");
                break;
            case LocalReplyReason.UpstreamBroken:
                Record.Fail(ResponseFlags.UPE, EndedBy.Upstream, "upstream_protocol_error");
                break;
            case LocalReplyReason.Timeout:
                Record.Fail(ResponseFlags.UT, EndedBy.Proxy, "request_timeout");
                break;
            case LocalReplyReason.Overflow:
                Record.Fail(ResponseFlags.UO, EndedBy.Proxy, "upstream_overflow");
                break;
            case var _ when Record.Details is null:
                Record.EndedBy = by;
                break;
        }
    }

    private void Complete()
    {
        if (_completed)
        {
            return;
        }

        _completed = true;
        _owner.Remove(this);
        ReleaseStall();
        _pinned?.Close(LocalReplyReason.UpstreamClosed, reset: true);
        int ended = DropEarly();
        DropDelayed();
        _output.Clear();
        _owner.Backlog -= _counted;
        _counted = 0;
        _held.Release(_owner.Loop.Memory);
        _downstream.ReachedEnd = _reachedEnd;
        _downstream.EndsInOrder = _inOrder;
        _stats.RequestsEnded += InFlight - ended - (_asksAhead ? 1 : 0);
        if (!IsOrdered && InFlight > 0)
        {
            _owner.NoteGone();
        }

        if (_socket.Owner == this)
        {
            _socket.Owner = null;
        }

        _ended.SetResult(true);
    }
}
