using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>What one loop owns besides its sockets: its connections and its random numbers.</summary>
internal sealed class LoopWorker(EventLoop loop)
{
    public EventLoop Loop { get; } = loop;

    public Random Random { get; } = new();

    /// <summary>The process is to end: a connection that comes from another loop now is told so.</summary>
    public bool IsDraining { get; set; }

    /// <summary>Connections open on this loop; registered before anything can await.</summary>
    public HashSet<Downstream> Connections { get; } = [];
}
