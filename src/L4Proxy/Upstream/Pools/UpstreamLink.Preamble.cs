using System.Diagnostics;
using System.Text;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <content>What brings a new connection into its profile. Nothing is sent behind it before the server has accepted all of it.</content>
internal abstract partial class UpstreamLink<TCodec>
{
    /// <summary>
    /// The preamble, while answers to it are due; else null. A server that refuses a login or a database goes on in the state that it has, and would execute
    /// what follows there: as somebody else, or in another database.
    /// </summary>
    private OutputQueue? _preamble;

    /// <summary>Bytes of a server's error that are repeated.</summary>
    private const int MostSaid = 256;

    private int _preambleAnswersDue;

    /// <summary>What may be sent now.</summary>
    private OutputQueue Sendable => _preamble ?? Output;

    /// <summary>An answer to a part of the preamble, and no error. Behind the last one goes what has been waiting.</summary>
    protected void PreambleAnswered()
    {
        if (--_preambleAnswersDue > 0)
        {
            return;
        }

        if (!_preamble!.IsEmpty)
        {
            // It cannot know what it answers.
            Close(LocalReplyReason.UpstreamBroken, reset: true);
            return;
        }

        _preamble = null;
        BecomeReady();
        MarkDirty();
    }

    /// <summary>Closes: the server would go on in another state. Whose login it refused is told: the client does not know of the proxy's, and can do nothing about it.</summary>
    /// <param name="error">What the server said; empty where that is not at hand.</param>
    protected void PreambleRefused(ReadOnlySpan<byte> error)
    {
        if (Profile.Replies - _preambleAnswersDue >= Profile.ProxyLogins)
        {
            Close(LocalReplyReason.ConnectFailed, reset: false, error);
            return;
        }

        string said = Encoding.UTF8.GetString(error[..Math.Min(error.Length, MostSaid)]).Trim('-', '\r', '\n');
        Pool.TellLoginFailed(Endpoint.Address, said);
        ScratchWriter words = Owner.Local;
        words.Clear();
        var request = new FrameHead { Kind = FrameKind.Request, Replies = 1 };
        TCodec.WriteLocalReply(request, new LocalReply(LocalReplyReason.ConnectFailed, $"the proxy's own login at cluster {Cluster.Name} failed: {said}"), words);

        // Whoever is told writes to the same place.
        Close(LocalReplyReason.ConnectFailed, reset: false, words.Written.ToArray());
    }

    /// <summary>
    /// What is asked first has the time of connecting from when the connection is up, and again with each answer: who waits for the state of the connection, as a
    /// subscriber does, has no time of its own.
    /// </summary>
    /// <param name="now">Stopwatch ticks.</param>
    public void ExpirePreamble(long now)
    {
        if (_preamble is not null && State == LinkState.Open && Stopwatch.GetElapsedTime(AnsweredAt, now) >= Cluster.ConnectTimeout)
        {
            Interlocked.Increment(ref Cluster.State.Counters.CxConnectTimeout);
            Close(LocalReplyReason.ConnectFailed, reset: true);
        }
    }

    private void AppendPreamble()
    {
        // Where nothing says whether it was accepted there is nothing to wait for.
        _preamble = Profile.Replies > 0 ? new OutputQueue(Owner.Loop.Memory) : null;
        _preambleAnswersDue = Profile.Replies;
        Sendable.Append(Profile.Preamble.Span);
        for (int i = 0; i < Profile.Replies; i++)
        {
            Add() = new Pending<TCodec> { Flags = PendingFlags.Hidden | PendingFlags.Preamble, SentAt = Owner.Now() };
        }
    }
}
