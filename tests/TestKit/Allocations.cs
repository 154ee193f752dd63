namespace MeshL4.TestKit;

/// <summary>What code allocates, on the thread that runs it.</summary>
internal static class Allocations
{
    /// <summary>Of five.</summary>
    private const int Most = 3;

    /// <summary>
    /// Bytes of one run: what the process allocates once, such as a type's statics or what replaces code that is compiled better, is in one of a few. A table
    /// that only grows, and by doubling, does so in the first three of five, if a run puts more than a few in it.
    /// </summary>
    /// <returns>0 if most of five runs allocate nothing.</returns>
    public static long OfEvery(Action run) => OfMost(() =>
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        run();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    });

    /// <summary>As <see cref="OfEvery"/>, of runs that say themselves what they allocate.</summary>
    public static long OfMost(Func<long> run)
    {
        int with = 0, without = 0;
        while (without < Most)
        {
            long allocated = run();
            if (allocated == 0)
            {
                without++;
            }
            else if (++with == Most)
            {
                return allocated;
            }
        }

        return 0;
    }
}
