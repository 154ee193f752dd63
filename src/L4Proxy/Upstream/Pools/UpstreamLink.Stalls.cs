using System.Diagnostics;
using MeshL4.L4Proxy.Terminating.XRpc;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <content>The time in which it is not read, as a client does not take its answers.</content>
internal abstract partial class UpstreamLink<TCodec>
{
    /// <summary>
    /// Of the time in which others keep it from being read, what no request is charged for: as much as its own time-out, and at least this. Thousands that
    /// never read cost about a second together (<see cref="SharedPatience"/>); one that reads slowly would cost for as long as it asks.
    /// </summary>
    private const int LeastExcusedMs = 1_000;

    /// <summary>Stopwatch ticks of when it was last let be read again, as what the server said before lies unread for a moment more.</summary>
    private long _readAgainAt;

    /// <summary>The client whose unread answers keep this connection from being read; null for none.</summary>
    public XRpcSession<TCodec>? StalledBy { get; private set; }

    /// <summary>The client took its answers, or is gone.</summary>
    public void Unstall()
    {
        _readAgainAt = Owner.Now();
        if (StalledBy is { } client)
        {
            client.TookAt = _readAgainAt;
        }

        StalledBy = null;
        LastReadMs = Owner.Loop.NowMilliseconds;
        GiveTimeToAnswer();
        if (State == LinkState.Open)
        {
            Owner.ReadLater(this);
        }
    }

    /// <summary>Does not read on before this client took what it has.</summary>
    /// <param name="session">The client.</param>
    /// <param name="inTurn">It gets bytes of this connection in their turn, so that only its socket is waited for.</param>
    protected void StallFor(XRpcSession<TCodec> session, bool inTurn)
    {
        if (StalledBy is null)
        {
            StalledBy = session;
            session.NoteStalled(this, inTurn);
        }
    }

    /// <summary>
    /// Stopwatch ticks that the time of a request counts from, long answers aside: the last part of it that was sent, or later, for as long as the connection
    /// was not read. Who is waited for has a time of its own, and is never late meanwhile.
    /// </summary>
    protected long CountsFrom(in Pending<TCodec> pending, long now)
    {
        if (StalledBy is { } client && client == pending.Session)
        {
            return now;
        }

        long most = pending.SentAt + (Math.Max(pending.TimeoutMs, LeastExcusedMs) * Stopwatch.Frequency / 1_000);
        long excused = Math.Min(StalledBy is null ? _readAgainAt : now, most);
        return Math.Max(Math.Max(pending.SentAt, RestSentAt), Math.Max(excused, pending.Session?.TookAt ?? 0));
    }
}
