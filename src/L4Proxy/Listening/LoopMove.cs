using System.Runtime.CompilerServices;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>
/// A connection on its way to another loop: awaited on the one it leaves, the code behind goes on on the one it comes to. Between the two
/// it belongs to nobody: who looks through the connections of the loops meanwhile misses it.
/// </summary>
internal sealed class LoopMove(Downstream downstream, LoopWorker target) : ICriticalNotifyCompletion, ITurnEnd
{
    private int _fd;
    private Action _goOn = null!;

    /// <summary>Whether the connection lives; to be asked behind the wait.</summary>
    public bool Arrived => !downstream.Socket.IsClosed;

    public bool IsCompleted => false;

    public LoopMove GetAwaiter() => this;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    /// <summary>Leaves at the end of the turn: sooner, the other loop could be done before those who wait for the waiting code do so.</summary>
    public void UnsafeOnCompleted(Action continuation)
    {
        _goOn = continuation;
        downstream.Loop.AtTurnEnd(this);
    }

    public void OnTurnEnd()
    {
        if (downstream.Socket.IsClosed)
        {
            _goOn();
            return;
        }

        _fd = downstream.Leave();
        target.Loop.Post(static move => ((LoopMove)move!).Arrive(), this);
    }

    private void Arrive()
    {
        var socket = new LoopSocket(target.Loop, _fd);
        if (socket.Watch(forWriting: false) != 0)
        {
            downstream.Record.Fail(ResponseFlags.OM, EndedBy.Proxy, "epoll_refused_the_connection");
        }

        downstream.Enter(target, socket);
        _goOn();
    }
}
