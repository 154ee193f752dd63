using System.Net;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>What the socket that a probe was sent from knows of its packet.</summary>
internal enum SocketNews
{
    /// <summary>Nothing, or nothing yet.</summary>
    None,

    /// <summary>A datagram came back, as from where it was sent to.</summary>
    Answered,

    /// <summary>The connection was refused.</summary>
    Refused,

    /// <summary>Somebody took the connection, and reset it.</summary>
    Reset,
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
