using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>getrlimit(2). The .NET runtime raises the soft limit of descriptors to the hard one at start.</summary>
internal static unsafe partial class ResourceLimits
{
    private const int Descriptors = 7;
    private const ulong Fallback = 1024;

    /// <summary>How many descriptors this process may have open.</summary>
    public static long OpenFiles()
    {
        ulong* limits = stackalloc ulong[2];
        ulong soft = GetLimit(Descriptors, limits) == 0 ? limits[0] : Fallback;
        return soft > int.MaxValue ? int.MaxValue : (long)soft;
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, ulong* softAndHard);
}
