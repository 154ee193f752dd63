using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>
/// Descriptors the data path leaves alone. The runtime ends the process when it cannot start a thread for want of a
/// descriptor, and the admin must still answer then, so connections stop short of the limit. The kernel hands out the
/// lowest free number: the number of a descriptor tells how many are open, and nothing need be counted.
/// </summary>
internal static class DescriptorReserve
{
    private const int Most = 128;
    private static readonly int Limit = (int)ResourceLimits.OpenFiles();
    private static readonly int Kept = Math.Min(Most, Limit / 4);

    /// <summary>Connections the admin ports may hold: a part of the reserve.</summary>
    public static int AdminConnections { get; } = Math.Max(4, Kept / 4);

    /// <summary>False when a client accepted with this number is the last for now.</summary>
    public static bool RoomToAccept(int fd) => fd < Limit - Kept;

    /// <summary>False for a number inside the reserve. Above <see cref="RoomToAccept"/>, so that a client who was let in finds a
    /// descriptor for its upstream connection too.</summary>
    public static bool RoomToUse(int fd) => fd < Limit - (Kept / 2);

    /// <summary>May accepting go on? Asks the kernel by taking a number and giving it back.</summary>
    /// <param name="fd">Any open descriptor.</param>
    public static bool RoomToAcceptAgain(int fd)
    {
        int probe = Descriptors.Control(fd, Descriptors.Duplicate, 0);
        if (probe < 0)
        {
            return false;
        }

        Descriptors.Close(probe);
        return RoomToAccept(probe);
    }

    /// <summary>socket(2), non-blocking; -1 and EMFILE when only the reserve is left.</summary>
    public static int OpenSocket(int family, int type, out int error)
    {
        int fd = SocketCalls.Socket(family, type | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        error = fd < 0 ? Marshal.GetLastSystemError() : 0;
        if (fd < 0 || RoomToUse(fd))
        {
            return fd;
        }

        Descriptors.Close(fd);
        error = Errno.EMFILE;
        return -1;
    }
}
