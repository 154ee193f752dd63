using System.Net;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>What the socket that a probe was sent from knows of its packet.</summary>
/// <param name="Number">The errno of the connection's end, 0 when there is nothing, or nothing yet, and -1 for an answer.</param>
internal readonly record struct SocketNews(int Number)
{
    /// <summary>Nothing, or nothing yet.</summary>
    public static SocketNews None => default;

    /// <summary>A datagram came back, as from where it was sent to.</summary>
    public static SocketNews Answered => new(-1);

    /// <summary>The connection was refused.</summary>
    public static SocketNews Refused => new(Errno.ECONNREFUSED);

    /// <summary>Somebody took the connection, and reset it.</summary>
    public static SocketNews Reset => new(Errno.ECONNRESET);
}

/// <summary>Sends probes under one identity, and keeps their sockets open so that the kernel does not forget them.</summary>
internal interface IProbeSender : IDisposable
{
    /// <summary>Opens a connection, or sends a datagram, without waiting for what comes of it.</summary>
    /// <returns>0, or an errno.</returns>
    int Send(Transports transport, IPEndPoint source, IPEndPoint destination);

    /// <summary>What came of what was sent from <paramref name="source"/>.</summary>
    SocketNews NewsOf(Transports transport, IPEndPoint source);
}
