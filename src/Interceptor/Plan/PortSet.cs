using System.Globalization;

namespace MeshL4.Interceptor.Plan;

/// <summary>An inclusive range of ports, 1 to 65535.</summary>
internal readonly record struct PortRange(int First, int Last)
{
    /// <summary>"80", or "8000-8010".</summary>
    public override string ToString() => First == Last
        ? First.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{First}-{Last}");
}

/// <summary>Ports as the fewest ascending ranges that hold them: equal sets print equally, whatever the order they were given in.</summary>
internal sealed class PortSet
{
    /// <summary>Sorts <paramref name="ranges"/> and joins those that touch.</summary>
    public PortSet(IEnumerable<PortRange> ranges)
    {
        var joined = new List<PortRange>();
        foreach (PortRange range in ranges.OrderBy(r => r.First))
        {
            if (joined.Count > 0 && range.First <= joined[^1].Last + 1)
            {
                joined[^1] = joined[^1] with { Last = Math.Max(joined[^1].Last, range.Last) };
            }
            else
            {
                joined.Add(range);
            }
        }

        Ranges = joined;
    }

    /// <summary>Ascending, apart by at least one port.</summary>
    public IReadOnlyList<PortRange> Ranges { get; }

    /// <summary>No port at all.</summary>
    public bool IsEmpty => Ranges.Count == 0;

    /// <summary>A set of one port.</summary>
    public static PortSet Single(int port) => new([new PortRange(port, port)]);

    /// <summary>Is <paramref name="port"/> in the set?</summary>
    public bool Contains(int port) => Ranges.Any(r => r.First <= port && port <= r.Last);

    /// <summary>The ports that are in both.</summary>
    public PortSet And(PortSet other) => new(Ranges.SelectMany(a => other.Ranges
        .Select(b => new PortRange(Math.Max(a.First, b.First), Math.Min(a.Last, b.Last))).Where(r => r.First <= r.Last)));

    /// <summary>The ports that are not in <paramref name="other"/>.</summary>
    public PortSet Without(PortSet other)
    {
        var gaps = new List<PortRange>();
        int next = 1;
        foreach (PortRange range in other.Ranges)
        {
            gaps.Add(new(next, range.First - 1));
            next = range.Last + 1;
        }

        return And(new(gaps.Append(new(next, 65535)).Where(r => r.First <= r.Last)));
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", Ranges);
}
