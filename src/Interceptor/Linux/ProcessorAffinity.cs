using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>sched_setaffinity(2): on which processors the calling thread, and no other, runs.</summary>
internal static unsafe partial class ProcessorAffinity
{
    // cpu_set_t of more processors than a kernel can have (CONFIG_NR_CPUS is at most 8192).
    private const int MaskWords = 128;
    private const int WordBits = 64;
    private const int CallingThread = 0;

    /// <summary>Does <paramref name="act"/> on one processor only, the one that the thread is on, and then gives it all that it had. Where the
    /// kernel refuses, it is done wherever the thread runs.</summary>
    public static void OnOne(Action act)
    {
        const int Bytes = MaskWords * sizeof(ulong);
        ulong* before = stackalloc ulong[MaskWords];
        ulong* one = stackalloc ulong[MaskWords];
        new Span<ulong>(one, MaskWords).Clear();
        int processor = Current();
        bool known = processor is >= 0 and < MaskWords * WordBits && Get(CallingThread, Bytes, before) == 0;
        if (known)
        {
            one[processor / WordBits] = 1UL << (processor % WordBits);
        }

        bool pinned = known && Set(CallingThread, Bytes, one) == 0;
        try
        {
            act();
        }
        finally
        {
            if (pinned)
            {
                _ = Set(CallingThread, Bytes, before);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "sched_getcpu")]
    private static partial int Current();

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int Get(int thread, nuint size, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int Set(int thread, nuint size, ulong* mask);
}
