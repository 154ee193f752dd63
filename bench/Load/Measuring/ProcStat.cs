using System.Globalization;

namespace MeshL4.Load.Measuring;

/// <summary>The fields the harness reads of one <c>/proc/PID/stat</c> line (man 5 proc_pid_stat).</summary>
/// <param name="ParentPid">Field 4, ppid.</param>
/// <param name="Ticks">Fields 14 to 17 summed (utime, stime, cutime, cstime), in clock ticks: own time and that of reaped children.</param>
internal readonly record struct ProcStat(int ParentPid, long Ticks)
{
    /// <summary>Clock ticks per second. USER_HZ is 100 on every architecture .NET runs on under Linux.</summary>
    public const double TicksPerSecond = 100;

    /// <summary>Parses one line. The command name may hold blanks and parentheses, so fields are counted from the last ')'.</summary>
    public static ProcStat Parse(string line)
    {
        var close = line.LastIndexOf(')');
        if (close < 0)
        {
            throw new FormatException($"no command name in the stat line '{line}'");
        }

        // The first field behind the name is field 3 (state).
        var fields = line[(close + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length < 15)
        {
            throw new FormatException($"only {fields.Length + 2} fields in the stat line '{line}'");
        }

        long Field(int number) => long.Parse(fields[number - 3], CultureInfo.InvariantCulture);
        return new ProcStat((int)Field(4), Field(14) + Field(15) + Field(16) + Field(17));
    }
}
