using System.Globalization;
using MeshL4.Interceptor.Linux;

namespace MeshL4.L4Proxy.Lifecycle;

/// <summary>
/// Gives back what only starting needed: the garbage of reading the configuration, which a data path without allocations
/// would keep for ever, and the pages of the executable that were read once. Pages still in use come back from the page
/// cache within microseconds. A collection that stops the process takes two milliseconds for each megabyte that stays, so a big heap is
/// compacted before the first listener opens, when nobody has to wait for it, and later only collected beside the loops.
/// </summary>
/// <param name="connections">How many connections are open now.</param>
internal sealed class StartUpMemory(Func<long> connections)
{
    private const string Mappings = "/proc/self/smaps";

    /// <summary>Bytes of a managed heap, garbage included, that is compacted in less than 10 ms.</summary>
    private const long LittleHeap = 8 * 1024 * 1024;

    /// <summary>First health checks, and the compilation of what they ran, belong to the start.</summary>
    private static readonly TimeSpan StartTakes = TimeSpan.FromSeconds(1);

    private int _isCompacted;

    /// <summary>Compacts a big heap, once, if nobody is connected.</summary>
    public void BeforeListening()
    {
        if (GC.GetTotalMemory(forceFullCollection: false) > LittleHeap && connections() == 0 && Interlocked.Exchange(ref _isCompacted, 1) == 0)
        {
            Compact();
        }
    }

    /// <summary>Gives back, once, when the start has settled.</summary>
    public async Task ReturnSoonAsync()
    {
        await Task.Delay(StartTakes).ConfigureAwait(false);
        Volatile.Write(ref _isCompacted, 1);
        Return(LittleHeap);
    }

    /// <summary>Gives back.</summary>
    /// <param name="littleHeap">Bytes up to which the heap is compacted.</param>
    internal static void Return(long littleHeap)
    {
        if (GC.GetTotalMemory(forceFullCollection: false) > littleHeap)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
        }
        else
        {
            Compact();
        }

        if (!File.Exists(Mappings))
        {
            return;
        }

        foreach ((nint start, nint length) in CleanMappings(File.ReadLines(Mappings)))
        {
            // A refusal leaves the pages where they are, which is no error.
            _ = MemoryAdvice.Advise(start, length, MemoryAdvice.DontNeed);
        }
    }

    private static void Compact() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

    /// <summary>Address and bytes of the mappings that hold nothing but a file: not writable, no page of their own, and not memory under
    /// a file's name.</summary>
    /// <param name="smaps">Lines in the format of proc_pid_smaps(5).</param>
    internal static IEnumerable<(nint Start, nint Length)> CleanMappings(IEnumerable<string> smaps)
    {
        (nint, nint)? candidate = null;
        foreach (string line in smaps)
        {
            if (char.IsAsciiHexDigitLower(line[0]))
            {
                candidate = Range(line);
            }
            else if (candidate is { } range && line.StartsWith("Anonymous:", StringComparison.Ordinal))
            {
                candidate = null;
                if (line.EndsWith(" 0 kB", StringComparison.Ordinal))
                {
                    yield return range;
                }
            }
        }
    }

    // "7f2a00000000-7f2a00010000 r-xp 00010000 fe:00 1234    /path"
    private static (nint, nint)? Range(string line)
    {
        string[] parts = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length < 6 || parts[5][0] != '/' || parts[5].StartsWith("/memfd:", StringComparison.Ordinal) || parts[1].Contains('w'))
        {
            return null;
        }

        int dash = parts[0].IndexOf('-');
        long start = long.Parse(parts[0].AsSpan(0, dash), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        long end = long.Parse(parts[0].AsSpan(dash + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return ((nint)start, (nint)(end - start));
    }
}
