using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>madvise(2).</summary>
internal static partial class MemoryAdvice
{
    /// <summary>The pages leave the process; a clean page of a file comes back from the page cache when it is touched.</summary>
    public const int DontNeed = 4;

    /// <summary>0, or -1 with errno.</summary>
    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    public static partial int Advise(nint start, nint length, int advice);
}
