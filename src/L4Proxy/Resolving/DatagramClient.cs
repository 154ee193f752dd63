using System.Buffers.Binary;
using System.Net;
using System.Runtime.CompilerServices;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>Bytes of a sockaddr_in or sockaddr_in6.</summary>
[InlineArray(Length)]
internal struct SocketName
{
    public const int Length = 28;

    private byte _first;
}

/// <summary>Who asked over UDP, and which server it asked where the kernel says so.</summary>
internal struct DatagramClient
{
    public SocketName Name;
    public int NameLength;

    /// <summary>The same as an object, on listeners that are told destinations; null on others, which need none.</summary>
    public IPEndPoint? Address;

    /// <summary>Where the question was going; null on a listener with one address, from which answers come.</summary>
    public IPEndPoint? Destination;

    public readonly int Port => BinaryPrimitives.ReadUInt16BigEndian(Name[2..4]);
}
