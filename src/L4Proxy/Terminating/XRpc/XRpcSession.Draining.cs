using MeshL4.L4Proxy.Reporting;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>
/// The proxy, or what this client is served by, is about to go: it is told so where its protocol has words for that, and ends when nothing of it is due.
/// </content>
internal sealed partial class XRpcSession<TCodec>
{
    private bool _isDraining;

    /// <summary>It was asked already whether the client can be told.</summary>
    private bool _isWarned;

    /// <summary>The client was told: what it asks all the same is answered.</summary>
    private bool _knowsOfEnd;

    /// <summary>Streams are no reason to stay.</summary>
    private bool _givesUpStreams;

    /// <summary>Whether nothing is due that the end waits for.</summary>
    private bool IsDone => InFlight == 0 || (_givesUpStreams && AnswersDue == 0);

    /// <summary>
    /// Takes no more requests than have been read, and ends when the answers due are written. A client of a multiplexed protocol that can be told to go
    /// elsewhere is served on until none of its answers is due.
    /// </summary>
    public void Drain()
    {
        if (!IsClosed && !_stopReading)
        {
            _isDraining = true;
            Record.EndedBy = EndedBy.Proxy;
            Record.Details ??= "drain";
            _owner.Attend(this);
        }
    }

    /// <summary>The client is to go elsewhere. Where answers come in order, that has its place behind them.</summary>
    private void TellOfEnd()
    {
        if (_isWarned || IsRelaying || (IsOrdered && InFlight > 0))
        {
            return;
        }

        _isWarned = true;
        ScratchWriter away = _owner.Local;
        away.Clear();
        if (TCodec.TryWriteControl(Side.Upstream, ControlFrame.GoAway, 0, away))
        {
            _knowsOfEnd = !IsOrdered;
            DeliverWhole(away.Written);
        }
    }

    /// <summary>Behind all that the client sent so far. One that was told may have begun a frame, which it ends.</summary>
    private void EndWhenDrained()
    {
        TellOfEnd();
        if (!_knowsOfEnd || (InFlight == 0 && !HasDelayed && !_skipping && _held.IsEmpty))
        {
            _stopReading = true;
            _givesUpStreams |= !_knowsOfEnd;
        }
    }
}
