using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>From the client's bytes to frames, and what makes reading them pause.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>A frame longer than this is forwarded while it arrives, on a connection of its own.</summary>
    private const int StreamThreshold = 64 * 1024;

    /// <summary>A frame that has to be seen whole has at most this many bytes.</summary>
    private const int MostHeld = 1024 * 1024;

    private const int RoundsPerTurn = 4;

    private static readonly string NotHeldWhole = $"the request has to be seen whole, and is over {MostHeld} bytes";
    private static readonly string NoHead = $"the first {StreamThreshold} bytes do not tell what the request is";

    private readonly int _mostHead;

    private TCodec _codec;
    private FrameHead _head;
    private HeldBytes _held;
    private bool _frameScanned;
    private bool _headKnown;
    private bool _askedForWhole;
    private bool _stopReading;

    /// <summary>The client said its last on a connection that relays: what the server sends up to its own end is the client's.</summary>
    private bool _awaitsServersEnd;
    private bool _isProbed;
    private Pause _pause;
    private long _now;
    private ProxySnapshot? _config;

    /// <summary>The configuration that the requests at hand meet, all of them one. Forgotten with them: an idle client keeps none in memory.</summary>
    private ProxySnapshot Config => _config ??= _owner.Snapshot;

    /// <summary>Takes the rest of a frame that is forwarded while it arrives; null for none.</summary>
    private UpstreamLink<TCodec>? _streaming;

    /// <summary>The request whose rest that is, where answers are due to it.</summary>
    private uint? _streamed;

    /// <summary>The rest of the current frame goes nowhere.</summary>
    private bool _skipping;

    private enum Pause : byte
    {
        None,

        /// <summary>Until every request so far was answered.</summary>
        Quiet,

        /// <summary>Until the client has taken its answers, or fewer requests are in flight.</summary>
        Room,

        /// <summary>Until the server has taken what was sent to it.</summary>
        Upstream,

        /// <summary>Until an injected delay is over.</summary>
        Delay,

        /// <summary>Until the server has answered what may end the relaying.</summary>
        Relay,
    }

    /// <summary>A server waits for the rest of a frame, which is for the client to send.</summary>
    private bool OwesRest => _streaming is not null && _pause == Pause.None;

    /// <summary>As long as a client that owes the rest of a frame sends it, if slowly, its server's time does not go by.</summary>
    public bool IsSendingRest => OwesRest && _owner.Loop.NowMilliseconds - _lastActivityMs <= Proxy.Limits.SlowReaderTimeout.TotalMilliseconds;

    /// <summary>Whether a server has the beginning of a frame, and the rest is still to come.</summary>
    public bool IsSendingTo(UpstreamLink<TCodec> link) => _streaming == link;

    private bool MayRead => !IsClosed && !_stopReading && _pause == Pause.None;

    /// <summary>Looks whether a pause is over, handles what was held and reads on. Not while the receive buffer is in use.</summary>
    private void GoOn()
    {
        if (_isDraining && !IsOrdered)
        {
            TellOfEnd();
        }

        if (_due is { Count: > 0 })
        {
            ForwardDue();
        }

        if (_wantedBy is not null && Leave())
        {
            return;
        }

        if (_pause == Pause.None || IsPauseOver())
        {
            _pause = Pause.None;
            if (!_held.IsEmpty && !_stopReading)
            {
                _now = _owner.Now();
                _config = _owner.Snapshot;
                Process(_held.Bytes, _held.Scanned);
            }

            if (_socket.Readable && MayRead && (!_isDraining || _knowsOfEnd))
            {
                ReadRequests();
            }
        }

        if (_isDraining && !IsClosed && _pause == Pause.None && _streaming is null)
        {
            EndWhenDrained();
        }

        _config = null;
        EndWhenDone();
    }

    private bool IsPauseOver() => _pause switch
    {
        Pause.Quiet => InFlight == 0,
        Pause.Room => HasRoom,

        // Who has to wait on is to be told again.
        Pause.Upstream => _streaming is not { } link || !link.MustWait(this),
        Pause.Relay => !IsRelaying,
        _ => false,
    };

    private unsafe void ReadRequests()
    {
        for (int round = 0; MayRead && _socket.Readable; round++)
        {
            if (round == RoundsPerTurn)
            {
                _owner.Loop.Requeue(_socket);
                return;
            }

            LoopMemory memory = _owner.Loop.Memory;
            bool fresh = _held.IsEmpty;
            nint count = fresh ? _socket.Receive(memory.Scratch, memory.ScratchLength) : _held.Receive(_socket);
            if (count > 0)
            {
                Record.BytesReceived += count;
                _lastActivityMs = _owner.Loop.NowMilliseconds;
                _now = _owner.Now();
                _config = _owner.Snapshot;
                Process(fresh ? memory.ScratchArray.AsSpan(0, (int)count) : _held.Bytes, fresh ? 0 : _held.Scanned);
            }
            else if (count == 0)
            {
                EndOfRequests();
            }
            else if (_socket.Readable && count != -Errno.EINTR)
            {
                End(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset");
            }
        }

        _config = null;
        EndWhenDone();
    }

    private void EndOfRequests()
    {
        _reachedEnd = true;
        _stopReading = true;
        if (_streaming is { } link)
        {
            // The server waits for a rest that will never come.
            _streaming = null;
            link.Close(LocalReplyReason.UpstreamClosed, reset: true);
        }

        if (_pinned is { IsRelaying: true })
        {
            End(ResponseFlags.None, EndedBy.Downstream, null);
        }
    }

    /// <summary>A client that said its last gets the answers due, then its end.</summary>
    private void EndWhenDone()
    {
        if (_stopReading && !IsClosed && IsDone && _output.IsEmpty && !HasDelayed && !(IsRelaying && (_awaitsServersEnd || _lastWords is not null)))
        {
            End(ResponseFlags.None, _isDraining ? EndedBy.Proxy : EndedBy.Downstream, null);
        }
        else if ((_socket.PeerClosed || _socket.Failed || _reachedEnd) && !IsClosed && _pinned is { IsBlocked: true })
        {
            // Nobody is there to take what the server waits for: as the server itself does, the wait ends with its client.
            End(ResponseFlags.DC, EndedBy.Downstream, "downstream_left_while_blocked");
        }
        else if (_socket.Failed && !IsClosed)
        {
            // Reading, which tells the rest, may wait for an answer that nobody is there for.
            End(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset");
        }
        else if (_socket.PeerClosed && !IsClosed && !_isProbed)
        {
            // It said its last, or is gone for good: its kernel tells, when it is asked.
            _isProbed = true;
            SocketTuning.Keepalive(_socket.Fd, probes: 3, idleSeconds: 10, intervalSeconds: 10);
        }
    }

    /// <summary>Handles frame after frame, and holds what is left.</summary>
    private void Process(Span<byte> bytes, int scanned)
    {
        int start = 0;
        while (MayRead)
        {
            if (!_frameScanned)
            {
                if (scanned == bytes.Length)
                {
                    break;
                }

                ScanStatus status = _codec.Scan(bytes[scanned..], ref _head, out int consumed);
                scanned += consumed;
                if (status == ScanStatus.Bad)
                {
                    Refuse(LocalReplyReason.BadFrame, TCodec.Describe(_head.Fault), bytes[start..scanned]);
                    break;
                }

                _headKnown |= status == ScanStatus.Head;
                if (status != ScanStatus.More && _head.HeadLength > _mostHead)
                {
                    Refuse(LocalReplyReason.TooLarge, $"the head of the request is over {_mostHead} bytes", bytes[start..scanned], "head_too_large");
                    break;
                }

                if (status != ScanStatus.Done)
                {
                    if (!TakePart(bytes[start..scanned], ref start, scanned))
                    {
                        break;
                    }

                    continue;
                }

                _frameScanned = true;
            }

            if (_streaming is not null || _skipping)
            {
                EndStreamed(bytes[start..scanned]);
            }
            else if (!Handle(new FrameView(ref _head, bytes[start..scanned], isWhole: true)))
            {
                break;
            }

            (_frameScanned, _headKnown, _askedForWhole) = (false, false, false);
            start = scanned;
        }

        if (IsClosed || _stopReading)
        {
            _held.Release(_owner.Loop.Memory);
        }
        else if (!_held.IsEmpty || start < bytes.Length)
        {
            _held.Keep(_owner.Loop.Memory, bytes, start, scanned);
        }
    }

    /// <summary>All bytes were taken and the frame goes on: hold it, or forward it as it comes. False to stop for now.</summary>
    private bool TakePart(Span<byte> frame, ref int start, int scanned)
    {
        if (_streaming is { } link)
        {
            link.AppendRest(frame);
            start = scanned;
            if (link.MustWait(this))
            {
                _pause = Pause.Upstream;
            }
        }
        else if (_skipping)
        {
            start = scanned;
        }
        else if (frame.Length > (_askedForWhole ? MostHeld : StreamThreshold))
        {
            if (_askedForWhole || !_headKnown)
            {
                Refuse(LocalReplyReason.TooLarge, _askedForWhole ? NotHeldWhole : NoHead, frame);
                return false;
            }

            if (Proxy.Routes.Current.NeedsWholeFrames)
            {
                _askedForWhole = true;
                return true;
            }

            if (!Handle(new FrameView(ref _head, frame, isWhole: false)))
            {
                return false;
            }

            if (!_askedForWhole)
            {
                start = scanned;
                _skipping = _streaming is null;
            }
        }

        return true;
    }

    private void EndStreamed(ReadOnlySpan<byte> rest)
    {
        if (_streaming is { } link)
        {
            link.AppendRest(rest);
            _streaming = null;
            link.RestSent();
            if (_pinned == link && (_unpinsBehind || (_pinnedForOne && (!IsOrdered || link.InFlight == 0))))
            {
                // Its answer came already, or none will come that gives the connection back, or finds its client in any order.
                Unpin(link, reusable: true);
            }

            if (IsOrdered)
            {
                PauseUntilQuiet();
            }

            if (_due is { Count: > 0 })
            {
                _owner.Attend(this);
            }
        }

        _stopReading |= _saidLast;
        _skipping = false;
    }

    /// <summary>Answers with an error in the client's turn and takes nothing more of it.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="words">Words for it, where the codec has some.</param>
    /// <param name="frame">What came of the frame at hand, from its first byte.</param>
    /// <param name="tooLarge">What the record says of what is too large.</param>
    private void Refuse(LocalReplyReason reason, string? words, ReadOnlySpan<byte> frame, string tooLarge = "frame_too_large")
    {
        _stats.ProtocolErrors++;
        if (_streaming is { } link)
        {
            _streaming = null;
            link.Close(LocalReplyReason.UpstreamClosed, reset: true);
        }
        else if (_pinned is not { IsRelaying: true })
        {
            AnswerUnframed(_skipping ? default : frame, reason, words);
        }

        _stopReading = _givesUpStreams = true;
        string detail = reason == LocalReplyReason.Unsupported ? "unsupported" : reason == LocalReplyReason.BadFrame ? "protocol_error_" + words!.Replace(' ', '_').Replace("'", "") : tooLarge;
        Record.Fail(ResponseFlags.DPE, EndedBy.Proxy, $"{TCodec.Traits.Name}_{detail}");
    }

    private void PauseUntilQuiet()
    {
        if (InFlight > 0)
        {
            _pause = Pause.Quiet;
        }
    }
}
