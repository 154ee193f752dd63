using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MeshL4.Interceptor.Linux;

/// <summary>setns(2): which network the calling thread lives in.</summary>
internal static partial class Namespaces
{
    private const int CloneNewNet = 0x40000000;

    /// <summary>Moves the calling thread, and no other, into the network namespace whose file is <paramref name="path"/>. Sockets it
    /// opens from then on belong there, whoever uses them later.</summary>
    /// <exception cref="UnauthorizedAccessException">CAP_SYS_ADMIN is missing.</exception>
    /// <exception cref="InvalidOperationException">The kernel refused for another reason.</exception>
    public static void EnterNetwork(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        if (SetNs((int)file.DangerousGetHandle(), CloneNewNet) != 0)
        {
            int error = Errno.Last;
            string message = $"cannot enter the network namespace {path}: {Errno.Message(error)}";
            throw error == Errno.EPERM ? new UnauthorizedAccessException(message) : new InvalidOperationException(message);
        }
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNs(int fd, int type);
}
