using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>A listener's socket on one loop. Start, Close and the setter run on that loop.</summary>
internal interface ILoopListener
{
    EventLoop Loop { get; }

    int Fd { get; }

    /// <summary>The listener as configured now; what is open keeps what it began with.</summary>
    ListenerSnapshot Listener { get; set; }

    void Start();

    void Close();
}
