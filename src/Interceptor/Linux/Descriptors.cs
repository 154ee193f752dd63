using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>Calls on any descriptor: close(2), read(2), write(2), pipe2(2), splice(2), fcntl(2).</summary>
internal static unsafe partial class Descriptors
{
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;
    public const uint SpliceMove = 1;
    public const uint SpliceNonBlocking = 2;
    public const uint SpliceMore = 4;
    public const int Duplicate = 1030;
    public const int SetPipeSize = 1031;
    public const int GetPipeSize = 1032;

    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "read")]
    public static partial nint Read(int fd, void* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "write")]
    public static partial nint Write(int fd, void* buffer, nint count);

    [LibraryImport("libc", EntryPoint = "pipe2")]
    public static partial int Pipe(int* readAndWrite, int flags);

    [LibraryImport("libc", EntryPoint = "splice")]
    public static partial nint Splice(int from, long* fromOffset, int to, long* toOffset, nint count, uint flags);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    public static partial int Control(int fd, int command, int argument);
}
