namespace MeshL4.L4Proxy.Balancing;

/// <summary>
/// A repeating order in which every index comes as often as its weight says, spread as evenly as it can be: the
/// earliest-deadline-first order, computed once so that a pick is one array read.
/// </summary>
internal static class WeightedSchedule
{
    /// <summary>Longest order for few endpoints; with more it has four places for each. Weights are scaled down to fit.</summary>
    public const int MaxLength = 1024;

    /// <summary>Builds the order for weights of at least one.</summary>
    public static int[] Build(uint[] weights)
    {
        long[] turns = Scale(weights, Math.Max(MaxLength, weights.Length * 4));
        var deadlines = new double[turns.Sum()];
        var order = new int[deadlines.Length];
        int at = 0;
        for (int i = 0; i < turns.Length; i++)
        {
            for (long turn = 1; turn <= turns[i]; turn++)
            {
                (deadlines[at], order[at++]) = ((double)turn / turns[i], i);
            }
        }

        Array.Sort(deadlines, order);
        return order;
    }

    private static long[] Scale(uint[] weights, int maxLength)
    {
        uint divisor = weights.Aggregate(0u, Gcd);
        long total = weights.Sum(w => (long)(w / divisor));
        return total <= maxLength
            ? [.. weights.Select(w => (long)(w / divisor))]
            : [.. weights.Select(w => Math.Max(1, (long)((double)w / divisor * maxLength / total)))];
    }

    private static uint Gcd(uint a, uint b)
    {
        while (b != 0)
        {
            (a, b) = (b, a % b);
        }

        return a;
    }
}
