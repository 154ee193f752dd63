namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>Memory of the process and its managed heap, in bytes, at one moment.</summary>
/// <param name="Resident">VmRSS; 0 when /proc cannot be read.</param>
/// <param name="HeapInUse">Bytes of live and dead objects on the managed heap.</param>
/// <param name="HeapCommitted">Bytes the collector holds from the system.</param>
/// <param name="LargeObjects">Size of the large-object heap at the last collection.</param>
/// <param name="Pinned">Size of the pinned-object heap at the last collection.</param>
/// <param name="Allocated">Bytes allocated since the start.</param>
internal sealed record ProcessMemory(long Resident, long HeapInUse, long HeapCommitted, long LargeObjects, long Pinned, long Allocated)
{
    public static ProcessMemory Read()
    {
        GCMemoryInfo info = GC.GetGCMemoryInfo();
        ReadOnlySpan<GCGenerationInfo> generations = info.GenerationInfo;
        return new ProcessMemory(
            ResidentBytes(), GC.GetTotalMemory(false), info.TotalCommittedBytes, generations[3].SizeAfterBytes,
            generations[4].SizeAfterBytes, GC.GetTotalAllocatedBytes());
    }

    private static long ResidentBytes()
    {
        try
        {
            string[] fields = File.ReadAllText("/proc/self/statm").Split(' ');
            return fields.Length > 1 && long.TryParse(fields[1], out long pages) ? pages * Environment.SystemPageSize : 0;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
