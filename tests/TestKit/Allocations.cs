namespace MeshL4.TestKit;

/// <summary>What code allocates, on the thread that runs it.</summary>
internal static class Allocations
{
    private const int MostOnce = 5;

    /// <summary>Bytes of every run: what the process allocates once, such as a type's statics or what replaces code that is compiled better, is in one of a few.</summary>
    public static long OfEvery(Action run)
    {
        long least = long.MaxValue;
        for (int again = 0; least > 0 && again < MostOnce; again++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
