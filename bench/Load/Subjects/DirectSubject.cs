using System.Net;

namespace MeshL4.Load.Subjects;

/// <summary>No proxy at all: what the clients, the servers and the kernel cost by themselves.</summary>
internal static class DirectSubject
{
    public const string Name = "direct";

    public static RunningSubject Over(IReadOnlyList<IPEndPoint> upstreams) => new(Name, child: null, upstreams);
}
