using System.Text;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>
/// From a hash to an endpoint, such that an endpoint which comes or goes moves few keys. Depends on the endpoints'
/// addresses and weights only, not on their order. Immutable.
/// </summary>
internal abstract class ConsistentTable
{
    /// <summary>Place of the endpoint among those the table was made for.</summary>
    public abstract int Find(ulong hash);

    /// <summary>The table a cluster's policy asks for. <paramref name="members"/> must not be empty.</summary>
    public static ConsistentTable Build(EndpointSnapshot[] members, LoadBalancingPolicy policy, int size)
    {
        (byte[] Name, uint Weight)[] named = [.. members.Select(static m => (Encoding.UTF8.GetBytes(m.Address.ToString()!), EndpointPool.WeightOf(m)))];
        return policy == LoadBalancingPolicy.Maglev ? new MaglevTable(named, size) : new HashRing(named, size);
    }
}

/// <summary>A ring of points, as many of an endpoint as its weight says; a key goes to the next point.</summary>
internal sealed class HashRing : ConsistentTable
{
    /// <summary>Points for the smallest ring, as Envoy has by default.</summary>
    public const int DefaultSize = 1024;

    /// <summary>Bound on the points, whatever the weights are.</summary>
    public const int LargestSize = 1 << 18;

    /// <summary>Points of a member of mean weight, as ketama has.</summary>
    private const int FewestPoints = 160;

    private readonly ulong[] _points;
    private readonly int[] _owners;

    public HashRing((byte[] Name, uint Weight)[] members, int size)
    {
        // Doubled rather than fitted, so that a member's points stay the same ones when another comes or goes.
        double mean = members.Average(static m => (double)m.Weight);
        int each = FewestPoints;
        while (each * (long)members.Length < size && each * 2L * members.Length <= LargestSize)
        {
            each *= 2;
        }

        int[] shares = [.. members.Select(member => Math.Max(1, (int)Math.Round(each * (member.Weight / mean))))];
        (_points, _owners) = (new ulong[shares.Sum()], new int[shares.Sum()]);
        int at = 0;
        for (int owner = 0; owner < members.Length; owner++)
        {
            for (int i = 1; i <= shares[owner]; i++)
            {
                (_points[at], _owners[at++]) = (StableHash.Of(members[owner].Name, (ulong)i), owner);
            }
        }

        Array.Sort(_points, _owners);
    }

    /// <inheritdoc/>
    public override int Find(ulong hash)
    {
        int at = Array.BinarySearch(_points, hash);
        at = at >= 0 ? at : ~at;
        return _owners[at == _points.Length ? 0 : at];
    }
}

/// <summary>Maglev's table (Eisenbud and others, NSDI 2016): each endpoint takes slots in its own order, in turns by weight.</summary>
internal sealed class MaglevTable : ConsistentTable
{
    /// <summary>Slots by default; a prime.</summary>
    public const int DefaultSize = 65_537;

    /// <summary>Most slots Envoy allows; a prime too.</summary>
    public const int LargestSize = 5_000_011;

    private readonly int[] _slots;

    public MaglevTable((byte[] Name, uint Weight)[] members, int size)
    {
        _slots = new int[size];
        Array.Fill(_slots, -1);
        uint heaviest = members.Max(static m => m.Weight);
        (ulong Offset, ulong Skip, ulong Next, double Credit)[] turns = [.. members.Select(m =>
            (StableHash.Of(m.Name, 1) % (ulong)size, (StableHash.Of(m.Name, 2) % ((ulong)size - 1)) + 1, 0UL, 0.0))];

        // In the order of their names, so that the table does not depend on the order of the endpoints.
        int[] order = [.. Enumerable.Range(0, members.Length).OrderBy(i => StableHash.Of(members[i].Name, 3))];
        for (int filled = 0; filled < size;)
        {
            foreach (int i in order)
            {
                turns[i].Credit += (double)members[i].Weight / heaviest;
                if (turns[i].Credit < 1 || filled == size)
                {
                    continue;
                }

                turns[i].Credit -= 1;
                _slots[Preferred(ref turns[i], (ulong)size)] = i;
                filled++;
            }
        }
    }

    /// <inheritdoc/>
    public override int Find(ulong hash) => _slots[hash % (ulong)_slots.Length];

    private ulong Preferred(ref (ulong Offset, ulong Skip, ulong Next, double Credit) turn, ulong size)
    {
        ulong slot;
        do
        {
            slot = (turn.Offset + (turn.Next++ * turn.Skip)) % size;
        }
        while (_slots[slot] >= 0);
        return slot;
    }
}
