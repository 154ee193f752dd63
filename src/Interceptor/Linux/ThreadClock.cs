using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>pthread_getcpuclockid(3), clock_gettime(2): the processor time of a thread, which any thread of the process may read.</summary>
internal static unsafe partial class ThreadClock
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    /// <summary>The clock of the calling thread; null where there is none.</summary>
    public static int? OfCaller()
    {
        int clock;
        return GetCpuClock(Self(), &clock) == 0 ? clock : null;
    }

    /// <summary>Nanoseconds that the clock's thread has run; -1 when the thread is gone.</summary>
    /// <param name="clock">From <see cref="OfCaller"/>.</param>
    public static long Read(int clock)
    {
        TimeSpec time;
        return GetTime(clock, &time) == 0 ? ((long)time.Seconds * NanosecondsPerSecond) + (long)time.Nanoseconds : -1;
    }

    [LibraryImport("libc", EntryPoint = "pthread_self")]
    private static partial nuint Self();

    [LibraryImport("libc", EntryPoint = "pthread_getcpuclockid")]
    private static partial int GetCpuClock(nuint thread, int* clock);

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, TimeSpec* time);

    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
