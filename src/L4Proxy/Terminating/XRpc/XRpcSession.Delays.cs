using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>
/// Injected delays. Of a protocol that answers in any order the request alone waits, in a copy; where order counts, and beyond what
/// may be held, the client waits.
/// </content>
internal sealed partial class XRpcSession<TCodec>
{
    private LoopTimer? _delay;
    private string? _faultMessage;
    private List<DelayedRequest>? _delayed;
    private Queue<DelayedRequest>? _due;
    private long _delayedBytes;

    private bool HasDelayed => _delayed is { Count: > 0 };

    /// <summary>Delays a request. True when the client waits with it, which then is asked about again.</summary>
    private bool Delay(in FrameView frame, XRpcFaultSnapshot fault)
    {
        _stats.DelayFaults++;
        if (!IsOrdered && frame is { IsWhole: true, Head.Kind: FrameKind.Request } && _pinned is null
            && _delayedBytes + frame.Bytes.Length <= Proxy.Limits.MaxBufferedBytes
            && (_delayed?.Count ?? 0) < Proxy.Limits.MaxPendingRequests)
        {
            var request = new DelayedRequest(this, frame.Bytes.ToArray(), fault.AbortMessage) { Index = _delayed?.Count ?? 0, CameAt = _now, Route = _asked, Method = frame.Head.Method };
            (_delayed ??= []).Add(request);
            _delayedBytes += request.Bytes.Length;
            _owner.Loop.Timers.Arm(request.Timer, fault.Delay);
            return false;
        }

        _faultMessage = fault.AbortMessage;
        _requestFlags = ResponseFlags.DI;
        _pause = Pause.Delay;
        _delay ??= new LoopTimer(static state => ((XRpcSession<TCodec>)state!).EndDelay(), this);
        _owner.Loop.Timers.Arm(_delay, fault.Delay);
        return true;
    }

    private void EndDelay()
    {
        if (!IsClosed && _pause == Pause.Delay)
        {
            _pause = Pause.None;
            _admitted = _owesCopies = true;
            _owner.Attend(this);
        }
    }

    private void EndDelay(DelayedRequest request)
    {
        if (!IsClosed)
        {
            (_due ??= new Queue<DelayedRequest>()).Enqueue(request);
            _owner.Attend(this);
        }
    }

    /// <summary>Forwards what was delayed long enough. Not while a connection of the client's own has a long request to itself.</summary>
    private void ForwardDue()
    {
        (_now, _config) = (_owner.Now(), _owner.Snapshot);
        while (!IsClosed && _streaming is null && (_pinned is null || !_pinnedForOne) && _due!.TryPeek(out DelayedRequest? request))
        {
            Pause own = _pause;
            bool dealt = Handle(request);

            // What the client itself waits with has a clock, which looks for this pause.
            _pause = own == Pause.Delay ? own : _pause;
            if (!dealt)
            {
                return;
            }

            _due.Dequeue();
            Remove(request);
        }
    }

    /// <summary>The last one takes its place.</summary>
    private void Remove(DelayedRequest request)
    {
        DelayedRequest last = _delayed![^1];
        (_delayed[request.Index], last.Index) = (last, request.Index);
        _delayed.RemoveAt(_delayed.Count - 1);
        _delayedBytes -= request.Bytes.Length;
    }

    /// <summary>As if it had just come; what is known of the frame that is being read stays.</summary>
    private bool Handle(DelayedRequest request)
    {
        (TCodec codec, bool admitted, bool owes, string? message) = (_codec, _admitted, _owesCopies, _faultMessage);
        (long came, ResponseFlags flags) = (_cameAt, _requestFlags);
        _codec = TCodec.Start(Side.Downstream, new CodecLimits(int.MaxValue, long.MaxValue));
        FrameHead head = default;
        bool dealt = true;
        if (_codec.Scan(request.Bytes, ref head, out _) == ScanStatus.Done)
        {
            (_admitted, _owesCopies, _faultMessage) = (true, request.OwesCopies, request.AbortMessage);
            (_cameAt, _requestFlags) = (request.CameAt, ResponseFlags.DI);
            dealt = Handle(new FrameView(ref head, request.Bytes, isWhole: true));
            request.OwesCopies = _owesCopies;
        }

        (_codec, _admitted, _owesCopies, _faultMessage) = (codec, admitted, owes, message);
        (_cameAt, _requestFlags) = (came, flags);
        return dealt;
    }

    private void DropDelayed()
    {
        for (int i = 0; i < _delayed?.Count; i++)
        {
            _owner.Loop.Timers.Cancel(_delayed[i].Timer);
            LogUnfinished(_delayed[i].Route, _delayed[i].Method, ResponseFlags.DI, _delayed[i].CameAt, cluster: null);
        }

        if (_delay is not null)
        {
            _owner.Loop.Timers.Cancel(_delay);
        }

        _delayed?.Clear();
        _due?.Clear();
    }

    /// <summary>A request that waits apart from its client.</summary>
    private sealed class DelayedRequest
    {
        private readonly XRpcSession<TCodec> _session;

        public DelayedRequest(XRpcSession<TCodec> session, byte[] bytes, string? abortMessage)
        {
            (_session, Bytes, AbortMessage) = (session, bytes, abortMessage);
            Timer = new LoopTimer(static request => ((DelayedRequest)request!).EndDelay(), this);
        }

        public LoopTimer Timer { get; }

        /// <summary>Place in the list.</summary>
        public int Index { get; set; }

        public byte[] Bytes { get; }

        /// <summary>When, in Stopwatch ticks.</summary>
        public required long CameAt { get; init; }

        /// <summary>What its line in the log says, should its client leave first.</summary>
        public required XRpcRouteSnapshot? Route { get; init; }

        public required int Method { get; init; }

        /// <summary>No copies of it were sent to mirrors yet.</summary>
        public bool OwesCopies { get; set; } = true;

        /// <summary>The answer behind the delay; null forwards.</summary>
        public string? AbortMessage { get; }

        private void EndDelay() => _session.EndDelay(this);
    }
}
