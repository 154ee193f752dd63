using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>Connections that a client does not get, or not any more.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>The server's own words for it; empty for none.</summary>
    private byte[] _pinRefusal = [];

    /// <summary>Cluster of that connection.</summary>
    private string? _pinFailedAt;

    /// <summary>It is what is answered now.</summary>
    private bool _answersPin;

    /// <summary>The last failure was a new connection on which the server refused the login, database or version.</summary>
    private bool _lastWasRefused;

    /// <summary>The client's own connection did not come about while a request waited for it, which is answered for that.</summary>
    private bool _pinFailed;

    /// <summary>The client's own connection to the server is gone.</summary>
    /// <param name="link">That connection.</param>
    /// <param name="reason">Why.</param>
    /// <param name="inOrder">Whether it ended in order.</param>
    /// <param name="raw">The server's own words; empty for none.</param>
    public void PinnedClosed(UpstreamLink<TCodec> link, LocalReplyReason reason, bool inOrder, ReadOnlySpan<byte> raw)
    {
        if (_pinned != link)
        {
            return;
        }

        (_pinned, _unpinsBehind) = (null, false);
        link.PinnedTo = null;
        SkipRestFor(link);

        if (_awaitsServersEnd && inOrder)
        {
            _owner.Attend(this);
        }
        else if (!link.IsReady)
        {
            // Nothing was built up there: who asked for something was answered, but for the request that waited for the connection itself.
            _pinFailed = _pause == Pause.Upstream && !_skipping;
            if (_pinFailed)
            {
                (_linkFailure, _pinRefusal, _pinFailedAt) = (reason, raw.ToArray(), link.Cluster.Name);
            }
        }
        else if (!IsClosed && !_pinnedForOne)
        {
            // What the client built up there, a transaction or subscriptions, is lost: only its own end says so.
            End(ResponseFlags.UC, EndedBy.Upstream, Proxy.Codec + "_pinned_upstream_closed");
        }
    }

    private bool AnswerNoLink(in FrameView frame)
    {
        byte[] raw = _answersPin ? _pinRefusal : [];
        _answersPin = false;
        bool dealt = AnswerLocally(frame, _linkFailure, _linkLimit, raw);
        if (raw.Length > 0 && EndsBehind(raw))
        {
            EndBehindRefusal();
        }

        return dealt;
    }

    /// <summary>
    /// Whether nothing of this client would be taken by any server. Where there are several clusters one may not know the client that others do.
    /// </summary>
    private bool EndsBehind(ReadOnlySpan<byte> refusal) => Proxy.Routes.Current.IsOfOneCluster && _conversation.EndsBehind(refusal);

    /// <summary>An answer that the conversation wrote is the last of its client; where it repeats what the server said of the login, as any refusal of that.</summary>
    private void EndBehindAnswer(ReadOnlySpan<byte> answer, bool isError)
    {
        if (!isError || !_conversation.EndsBehind(answer))
        {
            _stopReading = true;
        }
        else if (EndsBehind(answer))
        {
            EndBehindRefusal();
        }
    }

    /// <summary>The server does not know the client any more by the name that it gave: it gets the answers due, and its end.</summary>
    private void EndBehindRefusal()
    {
        if (!IsClosed)
        {
            _stopReading = true;
            Record.Fail(ResponseFlags.UF, EndedBy.Upstream, Proxy.Codec + "_login_refused");
            _owner.Attend(this);
        }
    }
}
