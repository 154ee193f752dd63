using MeshL4.L4Proxy.Listening;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>
/// Going to another loop. A session never does, for connections to servers may know it still for an answer that nobody waits for: the client
/// goes, when none of its answers is due, and what was said so far goes with it to a new session.
/// </content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>A client that asked for something so long ago, or earlier, is none of those that keep a loop busy.</summary>
    private const long WorksMs = 1000;

    /// <summary>After a request without an answer the next one stays on its connection for so long, or it could overtake it.</summary>
    private const long OneWayMs = 1000;

    /// <summary>A client that left a busy loop is not sent on for so long: one that fills a loop by itself would go round and round.</summary>
    private const long SettlesMs = 2000;

    private bool _isPlaced;
    private long _oneWayAtMs = long.MinValue / 2;
    private LoopWorker? _wantedBy;
    private bool _spreads;
    private long _spreadAtMs = long.MinValue / 2;
    private (byte[] Bytes, int Scanned) _unfinished = ([], 0);

    /// <summary>Goes on with a client that another loop served. On the new loop, when the old session has ended there.</summary>
    public XRpcSession(XRpcLoop<TCodec> owner, XRpcSession<TCodec> before, XRpcStatShard stats)
        : this(owner, before._downstream, before.Proxy, before._conversation, stats)
    {
        (_codec, _head, _frameScanned, _headKnown, _askedForWhole) = (before._codec, before._head, before._frameScanned, before._headKnown, before._askedForWhole);
        (_profile, _lastFailure, _lastWasRefused, _expectedReply, _evidence) = (before._profile, before._lastFailure, before._lastWasRefused, before._expectedReply, before._evidence);
        (_lastActivityMs, _lastProgressMs) = (before._lastActivityMs, before._lastProgressMs);
        Spread = before.Spread;
        _bindings = new Binding[before._bindingCount];
        for (; _bindingCount < _bindings.Length; _bindingCount++)
        {
            // The same servers, over the connections of this loop.
            _bindings[_bindingCount] = before._bindings[_bindingCount] with { Link = null };
        }

        _held.Keep(owner.Loop.Memory, before._unfinished.Bytes, 0, before._unfinished.Scanned);
        (_isPlaced, _spreadAtMs) = (true, before._spreadAtMs);
    }

    /// <summary>The loop that is to serve the client from now on; null when the client has ended.</summary>
    public LoopWorker? MovesTo { get; private set; }

    /// <summary>
    /// Whether the client may go where others are. Where answers come in any order some may always be due: such a client could not be sent away again, so
    /// it stays where it was accepted.
    /// </summary>
    public bool MayGather => IsOrdered && !IsClosed && _pinned is null && !_stopReading && !_isDraining && _downstream.DrainTimer is null;

    /// <summary>Whether the client is one that makes work, and may go where there is less.</summary>
    public bool MaySpread => MayGather && _owner.Loop.NowMilliseconds - _lastActivityMs < WorksMs && _owner.Loop.NowMilliseconds - _spreadAtMs > SettlesMs;

    private bool MayLeave => MayGather && !_reachedEnd && _streaming is null && !_skipping && _pause is Pause.None or Pause.Quiet
        && _output.IsEmpty && !HasDelayed && _due is not { Count: > 0 } && !_admitted && !_socket.Failed && _owner.Loop.NowMilliseconds - _oneWayAtMs > OneWayMs;

    /// <summary>Another loop is to have this client: it is not read until no answer is due, and goes there, unless it has got a connection of its own by then.</summary>
    /// <param name="target">The other loop.</param>
    /// <param name="spreads">Since this one is busy.</param>
    public void SendTo(LoopWorker target, bool spreads)
    {
        (_wantedBy, _spreads) = (target, spreads);
        if (_pause is Pause.None or Pause.Room)
        {
            // Also when it is quiet now: a request that comes in this turn would be sent before the turn is over.
            _pause = Pause.Quiet;
        }

        _owner.Attend(this);
    }

    /// <summary>A new client that has asked for something and has no connection of its own goes to the loop that is to serve it.</summary>
    private void Place()
    {
        if (Record.BytesReceived > 0 && _owner.Placement?.ForNew() is { } best)
        {
            _isPlaced = true;
            if (best != _owner.Worker && MayGather)
            {
                SendTo(best, spreads: false);
            }
        }
    }

    /// <summary>Whether the client was to go and goes now.</summary>
    private bool Leave()
    {
        LoopWorker target = _wantedBy!;
        _wantedBy = InFlight > 0 && _pause == Pause.Quiet ? target : null;
        if (InFlight > 0 || !MayLeave)
        {
            return false;
        }

        _unfinished = (_held.Bytes.ToArray(), _held.Scanned);
        (MovesTo, IsClosed) = (target, true);
        _spreadAtMs = _spreads ? _owner.Loop.NowMilliseconds : _spreadAtMs;
        _owner.Attend(this);
        return true;
    }
}
