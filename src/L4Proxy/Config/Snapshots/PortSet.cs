using System.Collections.Immutable;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>A set of ports as the bounds of its ranges: eight bytes a range, and a binary search to look one up.</summary>
internal sealed class PortSet : IEquatable<PortSet>
{
    /// <summary>One more than the highest port.</summary>
    private const int End = ushort.MaxValue + 1;

    /// <summary>Start (within) and end (outside) of each range, ascending; ranges neither overlap nor touch.</summary>
    private readonly int[] _bounds;

    private PortSet(int[] bounds) => _bounds = bounds;

    public static PortSet None { get; } = new([]);

    public static PortSet All { get; } = new([0, End]);

    /// <summary>Ports from <paramref name="start"/> to before <paramref name="end"/>; what is no port is left out.</summary>
    public static PortSet Range(int start, int end)
    {
        (start, end) = (Math.Max(start, 0), Math.Min(end, End));
        return start < end ? new PortSet([start, end]) : None;
    }

    /// <summary>Ports of any of the sets.</summary>
    public static PortSet Union(IEnumerable<PortSet> sets)
    {
        List<(int Start, int End)> ranges = [.. sets.SelectMany(static set => set.Ranges())];
        ranges.Sort();
        var bounds = ImmutableArray.CreateBuilder<int>();
        foreach ((int start, int end) in ranges)
        {
            if (bounds.Count > 0 && start <= bounds[^1])
            {
                bounds[^1] = Math.Max(bounds[^1], end);
            }
            else
            {
                bounds.AddRange(start, end);
            }
        }

        return new PortSet([.. bounds]);
    }

    /// <summary>Ports of all the sets; every port where there is none.</summary>
    public static PortSet Intersection(IEnumerable<PortSet> sets) => Union(sets.Select(static set => set.Complement())).Complement();

    public PortSet Complement() => new(
        [.. _bounds is [0, ..] ? [] : (int[])[0], .. _bounds.Where(static bound => bound is > 0 and < End), .. _bounds is [.., End] ? [] : (int[])[End]]);

    public bool Contains(int port)
    {
        int found = Array.BinarySearch(_bounds, port);

        // A bound that is met is a start or an end; else the one behind it tells.
        return found >= 0 ? found % 2 == 0 : ~found % 2 == 1;
    }

    public bool Equals(PortSet? other) => other is not null && _bounds.AsSpan().SequenceEqual(other._bounds);

    public override bool Equals(object? obj) => Equals(obj as PortSet);

    public override int GetHashCode() => _bounds.Length == 0 ? 0 : HashCode.Combine(_bounds.Length, _bounds[0], _bounds[^1]);

    private IEnumerable<(int Start, int End)> Ranges()
    {
        for (int i = 0; i < _bounds.Length; i += 2)
        {
            yield return (_bounds[i], _bounds[i + 1]);
        }
    }
}
