using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>packet(7): whole frames of one interface, in and out.</summary>
internal static unsafe partial class PacketSockets
{
    private const int FamilyPacket = 17;
    private const int Raw = 3;
    private const int LinkAddressLength = 20;
    private const int ReceiveBufferForce = 33;

    // ETH_P_ALL: frames that leave are seen too, not only those that come in.
    private const ushort EveryProtocol = 3;

    // Hundreds of frames may arrive before the reader's turn; the default holds about 250 small ones.
    private const int ReceiveBuffer = 4 << 20;

    /// <summary>A non-blocking socket for all frames of <paramref name="interfaceName"/>, or -1 with the reason in
    /// <see cref="Errno.Last"/>. Needs CAP_NET_RAW.</summary>
    public static int Open(string interfaceName)
    {
        uint index = IndexOf(interfaceName);
        // Protocol 0 until bound: otherwise frames of every other interface would be queued in between.
        int fd = index == 0 ? -1 : Socket(FamilyPacket, Raw | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        if (fd < 0)
        {
            return -1;
        }

        // Refused without CAP_NET_ADMIN: then the default size must do.
        _ = SocketOptions.TrySetInt(fd, SocketOptions.SolSocket, ReceiveBufferForce, ReceiveBuffer);
        byte* address = stackalloc byte[LinkAddressLength];
        var bytes = new Span<byte>(address, LinkAddressLength);
        bytes.Clear();
        MemoryMarshal.Write(bytes, (ushort)FamilyPacket);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], EveryProtocol);
        MemoryMarshal.Write(bytes[4..], index);
        if (Bind(fd, address, LinkAddressLength) == 0)
        {
            return fd;
        }

        int reason = Errno.Last;
        _ = Descriptors.Close(fd);
        Marshal.SetLastPInvokeError(reason);
        return -1;
    }

    [LibraryImport("libc", EntryPoint = "if_nametoindex", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial uint IndexOf(string interfaceName);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int Bind(int fd, byte* address, int length);
}
