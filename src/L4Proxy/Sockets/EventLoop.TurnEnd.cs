namespace MeshL4.L4Proxy.Sockets;

/// <summary>Work that is worth doing once a turn, such as one send for all that was written in it.</summary>
internal interface ITurnEnd
{
    /// <summary>All events of this turn were handled.</summary>
    void OnTurnEnd();
}

/// <content>What is done once at the end of a turn.</content>
internal sealed unsafe partial class EventLoop
{
    private List<ITurnEnd> _turnEnd = [];
    private List<ITurnEnd> _turnEndNow = [];

    /// <summary>Calls <paramref name="work"/> when this turn's events were handled; when called from there, at the end of the next turn, which then does not wait.</summary>
    public void AtTurnEnd(ITurnEnd work) => _turnEnd.Add(work);

    private void RunTurnEnd()
    {
        if (_turnEnd.Count == 0)
        {
            return;
        }

        (_turnEnd, _turnEndNow) = (_turnEndNow, _turnEnd);
        foreach (ITurnEnd work in _turnEndNow)
        {
            Guarded(static work => ((ITurnEnd)work!).OnTurnEnd(), work);
        }

        _turnEndNow.Clear();
    }
}
