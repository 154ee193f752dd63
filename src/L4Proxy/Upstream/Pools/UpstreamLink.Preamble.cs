using MeshL4.L4Proxy.Sockets;
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
        MarkDirty();
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
