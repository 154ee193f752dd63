using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>statx(2): what kind of file a path is. .NET tells a socket from a regular file nowhere.</summary>
internal static unsafe partial class FileTypes
{
    private const int CurrentFolder = -100;
    private const int NoFollow = 0x100;
    private const uint TypeOnly = 1;
    private const int StatxSize = 256;
    private const int ModeOffset = 28;
    private const int TypeMask = 0xF000;
    private const int SocketType = 0xC000;

    /// <summary>True when the path itself (a symbolic link is not followed) is a Unix socket.</summary>
    public static bool IsSocket(string path)
    {
        byte* answer = stackalloc byte[StatxSize];
        return Statx(CurrentFolder, path, NoFollow, TypeOnly, answer) == 0 && (*(ushort*)(answer + ModeOffset) & TypeMask) == SocketType;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, byte* answer);
}
