using System.Net;

namespace MeshL4.L4Proxy.Listening;

/// <summary>What makes datagrams one session: who sends, and to which address.</summary>
/// <param name="Client">Source address and port.</param>
/// <param name="Destination">The original destination (transparent listeners), or the local address and port that the client
/// addressed (listeners on all addresses); null where the listener's own address is the only one.</param>
internal readonly record struct DatagramFlow(IPEndPoint Client, IPEndPoint? Destination);
