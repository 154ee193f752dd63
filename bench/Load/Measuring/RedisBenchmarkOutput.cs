using System.Globalization;

namespace MeshL4.Load.Measuring;

/// <summary>One result line of <c>redis-benchmark --csv</c>.</summary>
/// <param name="RequestsPerSecond">The second column.</param>
/// <param name="P50Milliseconds">Median latency of one pipeline, milliseconds.</param>
/// <param name="P99Milliseconds">99th percentile of the same.</param>
internal readonly record struct RedisBenchmarkOutput(double RequestsPerSecond, double P50Milliseconds, double P99Milliseconds)
{
    /// <summary>
    /// Finds the line of the command that was run. The columns, by the tool's own heading: test, rps, avg, min, p50, p95, p99, max.
    /// </summary>
    /// <exception cref="VoidRunException">The output holds no such line.</exception>
    public static RedisBenchmarkOutput Parse(string output, string command)
    {
        var start = $"\"{command}\",";
        var line = output.Split('\n').FirstOrDefault(l => l.StartsWith(start, StringComparison.Ordinal));
        if (line is null)
        {
            throw new VoidRunException($"redis-benchmark printed no result for {command}: {Shortened(output)}");
        }

        var columns = line.Trim().Split("\",\"").Select(c => c.Trim('"')).ToArray();
        if (columns.Length < 8)
        {
            throw new VoidRunException($"redis-benchmark printed {columns.Length} columns instead of 8: {Shortened(line)}");
        }

        // A run of under a millisecond has an infinite rate, in C's word for it.
        double Column(int index) => columns[index] == "inf" ? double.PositiveInfinity : double.Parse(columns[index], NumberStyles.Float, CultureInfo.InvariantCulture);
        return new RedisBenchmarkOutput(Column(1), Column(4), Column(6));
    }

    private static string Shortened(string text) => text.Length <= 300 ? text.Trim() : text[..300].Trim() + " ...";
}
