using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream.Pools;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>
/// Long frames of a multiplexed protocol, passed on while they arrive: one at a time, since a frame is not interrupted. What other
/// connections have for the client meanwhile is held, in the order of its beginnings, and counts as its backlog.
/// </content>
internal sealed partial class XRpcSession<TCodec>
{
    private UpstreamLink<TCodec>? _partOf;
    private List<WaitingFrames>? _waiting;

    /// <summary>Whether a connection's long frame is the one being passed on.</summary>
    public bool IsPartOf(UpstreamLink<TCodec> link) => _partOf == link;

    /// <summary>A long frame begins: it is passed on as it comes, or held until those before it are over.</summary>
    public void BeginPart(UpstreamLink<TCodec> link)
    {
        if (_partOf is null)
        {
            _partOf = link;
        }
        else
        {
            (_waiting ??= []).Add(new WaitingFrames(new OutputQueue(_owner.Loop.Memory)) { Of = link });
        }
    }

    /// <summary>A piece of the long frame that a connection began.</summary>
    public void DeliverPart(UpstreamLink<TCodec> link, ReadOnlySpan<byte> bytes)
    {
        if (_partOf == link)
        {
            Deliver(bytes);
        }
        else if (!IsClosed)
        {
            HoldBehind(_waiting!.Find(one => one.Of == link)!, bytes);
        }
    }

    /// <summary>Passes a whole frame on, behind the long ones that were begun.</summary>
    public void DeliverWhole(ReadOnlySpan<byte> frame)
    {
        if (IsClosed || frame.IsEmpty)
        {
            return;
        }

        if (_partOf is null)
        {
            Record.BytesSent += frame.Length;
            Hold(frame);
            return;
        }

        if (_waiting is not [.., { Of: null } last])
        {
            (_waiting ??= []).Add(last = new WaitingFrames(new OutputQueue(_owner.Loop.Memory)));
        }

        HoldBehind(last, frame);
    }

    /// <summary>A connection's long frame is over, or will never be.</summary>
    public void EndPart(UpstreamLink<TCodec> link)
    {
        if (_partOf != link)
        {
            if (_waiting?.Find(one => one.Of == link) is { } held)
            {
                held.Of = null;
            }

            return;
        }

        _partOf = null;
        while (_partOf is null && _waiting is [{ } next, ..])
        {
            _waiting.RemoveAt(0);
            _partOf = next.Of;
            SendEarly(next.Bytes);
        }

        CountBacklog();
        _owner.Attend(this);
    }

    /// <summary>Forgets a long frame that will never be whole, when nothing of it was passed on.</summary>
    /// <returns>False when the client has got a part of it.</returns>
    public bool TakePartBack(UpstreamLink<TCodec> link)
    {
        if (_waiting?.Find(one => one.Of == link) is not { } held)
        {
            return false;
        }

        _waiting.Remove(held);
        ForgetEarly(held.Bytes);
        held.Bytes.Clear();
        CountBacklog();
        return true;
    }

    private void HoldBehind(WaitingFrames frames, ReadOnlySpan<byte> bytes)
    {
        if (Backlog == 0)
        {
            _lastProgressMs = _owner.Loop.NowMilliseconds;
        }

        AppendEarly(frames.Bytes, bytes);
    }

    private void DropParts()
    {
        _waiting?.ForEach(static one => one.Bytes.Clear());
        _waiting = null;
        _partOf = null;
    }

    /// <summary>Whole frames, or a long one that a connection has begun and not ended.</summary>
    private sealed class WaitingFrames(OutputQueue bytes)
    {
        public OutputQueue Bytes { get; } = bytes;

        /// <summary>Who sends the rest; null when nothing is missing.</summary>
        public UpstreamLink<TCodec>? Of { get; set; }
    }
}
