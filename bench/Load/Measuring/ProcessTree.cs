using System.Globalization;

namespace MeshL4.Load.Measuring;

/// <summary>Processor time and resident memory of a process and everything it started (workers of nginx, for one), from /proc.</summary>
internal static class ProcessTree
{
    /// <summary>User plus system seconds used so far by the tree below and including <paramref name="rootPid"/>.</summary>
    public static double CpuSeconds(int rootPid)
    {
        var stats = ReadAll();
        if (!stats.ContainsKey(rootPid))
        {
            throw new VoidRunException($"process {rootPid} is gone, so its processor time cannot be read");
        }

        return Members(stats, rootPid).Sum(pid => stats[pid].Ticks) / ProcStat.TicksPerSecond;
    }

    /// <summary>Sum of VmRSS over the tree, in megabytes of 1,048,576 bytes. Pages shared by workers count once per worker.</summary>
    public static double ResidentMegabytes(int rootPid) =>
        Members(ReadAll(), rootPid).Sum(pid => ResidentKilobytes(File.ReadAllText($"/proc/{pid}/status"))) / 1024.0;

    /// <summary>The VmRSS line of a status file, in kB (units of 1,024 bytes).</summary>
    public static long ResidentKilobytes(string status) => Kilobytes(status, "VmRSS:");

    /// <summary>The VmHWM line of a status file, the largest resident size so far, in kB.</summary>
    public static long PeakKilobytes(string status) => Kilobytes(status, "VmHWM:");

    private static long Kilobytes(string status, string label)
    {
        var line = status.Split('\n').FirstOrDefault(l => l.StartsWith(label, StringComparison.Ordinal))
            ?? throw new FormatException($"no {label} line in the status file");
        return long.Parse(line[label.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture);
    }

    /// <summary>The lowest soft limit of open files (RLIMIT_NOFILE) in the tree.</summary>
    public static long OpenFileLimit(int rootPid) =>
        Members(ReadAll(), rootPid).Min(pid => SoftOpenFiles(File.ReadAllText($"/proc/{pid}/limits")));

    /// <summary>Makes sure that a process may open as many files.</summary>
    /// <exception cref="VoidRunException">It may not.</exception>
    public static void RequireOpenFiles(string who, int pid, long needed)
    {
        var limit = OpenFileLimit(pid);
        if (limit < needed)
        {
            throw new VoidRunException($"{who} may open {limit} files and needs {needed}; raise the limit (ulimit -n)");
        }
    }

    /// <summary>The soft value of the "Max open files" line of a limits file.</summary>
    public static long SoftOpenFiles(string limits)
    {
        const string Label = "Max open files";
        var line = limits.Split('\n').FirstOrDefault(l => l.StartsWith(Label, StringComparison.Ordinal))
            ?? throw new FormatException("no 'Max open files' line in the limits file");
        var soft = line[Label.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
        return soft == "unlimited" ? long.MaxValue : long.Parse(soft, CultureInfo.InvariantCulture);
    }

    private static Dictionary<int, ProcStat> ReadAll()
    {
        var stats = new Dictionary<int, ProcStat>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                try
                {
                    stats[pid] = ProcStat.Parse(File.ReadAllText($"{directory}/stat"));
                }
                catch (IOException)
                {
                    // The process ended between the listing and the read.
                }
            }
        }

        return stats;
    }

    private static List<int> Members(Dictionary<int, ProcStat> stats, int rootPid)
    {
        var members = new List<int> { rootPid };
        for (var next = 0; next < members.Count; next++)
        {
            members.AddRange(stats.Where(s => s.Value.ParentPid == members[next]).Select(s => s.Key));
        }

        return members;
    }
}
