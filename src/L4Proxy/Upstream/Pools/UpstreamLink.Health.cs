using MeshL4.Interceptor.Linux;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <content>Signs of life of the server, asked for and had.</content>
internal abstract partial class UpstreamLink<TCodec>
{
    /// <summary>In place of the time of a PING: it was not answered in time.</summary>
    private const long Unanswered = -1;

    private long _pingSentMs;

    /// <summary>
    /// Asks a server that was silent for a while whether it lives. When it does not say so in the same time the server is doubted, and this connection
    /// closes unless somebody waits here: a request has a time of its own. Never one that a client has for itself: its transaction would get the question.
    /// </summary>
    public void CheckHealth()
    {
        if (!Pool.ChecksHealth)
        {
            _pingSentMs = 0;
            return;
        }

        if (State != LinkState.Open || PinnedTo is not null || StalledBy is not null)
        {
            return;
        }

        long now = Owner.Loop.NowMilliseconds;
        double interval = Pool.HealthCheckInterval.TotalMilliseconds;
        bool isLate = _pingSentMs > 0 && now - _pingSentMs > interval;
        if (isLate)
        {
            (_pingSentMs, IsSuspect) = (Unanswered, true);
        }

        if (_pingSentMs == Unanswered && !HasOthersThan(null))
        {
            Close(LocalReplyReason.Timeout, reset: true);
        }
        else if (_pingSentMs == 0 && (Endpoint.State.FailsChecks || now - LastReadMs > interval))
        {
            AskAtOnce();
        }

        // Behind the end of this connection: it may have had the last place that the cluster has.
        if (isLate && !IsDraining)
        {
            Pool.Doubt(this);
        }
    }

    /// <summary>Asks for a sign of life; while it still connects, with the first bytes that are sent.</summary>
    public void AskAtOnce()
    {
        if (State != LinkState.Closed && TryPing())
        {
            _pingSentMs = Owner.Loop.NowMilliseconds;
        }
    }

    /// <summary>Bytes came: whatever they say, the server lives.</summary>
    private void TellAlive()
    {
        _pingSentMs = 0;
        if (Pool.ChecksHealth)
        {
            Endpoint.State.Heard(LastReadMs);
            Pool.Trust(Endpoint.State);
        }

        Cluster.State.TellHealth(Endpoint.State, alive: true);
    }

    /// <summary>A defect of a codec costs this connection; the others are looked at after it.</summary>
    private bool TryPing()
    {
        try
        {
            return WritePing();
        }
#pragma warning disable CA1031 // Whatever it is.
        catch (Exception defect)
#pragma warning restore CA1031
        {
            Owner.Loop.Fault(defect);
            Close(LocalReplyReason.UpstreamBroken, reset: true);
            return false;
        }
    }

    /// <summary>No connection came about.</summary>
    /// <param name="error">Why.</param>
    private void TellUnreachable(int error)
    {
        // What this machine lacks (descriptors, ports) says nothing of the server.
        if (Pool.ChecksHealth && !IsDraining && error is Errno.ECONNREFUSED or Errno.ECONNRESET or Errno.ETIMEDOUT or Errno.EHOSTUNREACH or Errno.ENETUNREACH or Errno.ENOENT)
        {
            Cluster.State.TellHealth(Endpoint.State, alive: false);
        }
    }

    // A sign of life may be among what was not read.
    private void GiveTimeToAnswer() => _pingSentMs = _pingSentMs == 0 ? 0 : LastReadMs;
}
