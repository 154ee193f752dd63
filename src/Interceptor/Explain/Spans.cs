namespace MeshL4.Interceptor.Explain;

/// <summary>A set of numbers as ascending ranges apart from each other, both ends included.</summary>
internal sealed class Spans
{
    private readonly IReadOnlyList<(UInt128 First, UInt128 Last)> _ranges;

    private Spans(IReadOnlyList<(UInt128 First, UInt128 Last)> ranges) => _ranges = ranges;

    /// <summary>No number at all.</summary>
    public bool IsEmpty => _ranges.Count == 0;

    /// <summary>All numbers from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public static Spans Of(UInt128 first, UInt128 last) => new([(first, last)]);

    /// <summary>The union of <paramref name="ranges"/>.</summary>
    public static Spans Of(IEnumerable<(UInt128 First, UInt128 Last)> ranges)
    {
        var joined = new List<(UInt128 First, UInt128 Last)>();
        foreach ((UInt128 first, UInt128 last) in ranges.OrderBy(r => r.First))
        {
            if (joined.Count > 0 && first <= joined[^1].Last)
            {
                joined[^1] = (joined[^1].First, UInt128.Max(joined[^1].Last, last));
            }
            else
            {
                joined.Add((first, last));
            }
        }

        return new Spans(joined);
    }

    /// <summary>The numbers that are in both.</summary>
    public Spans And(Spans other)
    {
        var common = new List<(UInt128, UInt128)>();
        for (int i = 0, j = 0; i < _ranges.Count && j < other._ranges.Count;)
        {
            UInt128 first = UInt128.Max(_ranges[i].First, other._ranges[j].First);
            UInt128 last = UInt128.Min(_ranges[i].Last, other._ranges[j].Last);
            if (first <= last)
            {
                common.Add((first, last));
            }

            if (_ranges[i].Last < other._ranges[j].Last)
            {
                i++;
            }
            else
            {
                j++;
            }
        }

        return new Spans(common);
    }

    /// <summary>The numbers that are not in <paramref name="other"/>.</summary>
    public Spans Without(Spans other)
    {
        var gaps = new List<(UInt128, UInt128)>();
        UInt128 next = 0;
        foreach ((UInt128 first, UInt128 last) in other._ranges)
        {
            if (next < first)
            {
                gaps.Add((next, first - 1));
            }

            if (last == UInt128.MaxValue)
            {
                return And(new Spans(gaps));
            }

            next = last + 1;
        }

        gaps.Add((next, UInt128.MaxValue));
        return And(new Spans(gaps));
    }
}
