using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>
/// Where keys belong among the endpoints of a pool, by the table of a policy that hashes. The table is laid out for all of them, also those that
/// fail health checks, and the keys of those are hashed on until an endpoint is met that does not. So a change of health lays no table out, which
/// takes a loop milliseconds, and moves no key but those of the endpoint whose health changed. Only a panic that brings in endpoints which the
/// configuration does not offer has a table of its own. Immutable.
/// </summary>
internal sealed class KeyHomes(EndpointSnapshot[] members, LoadBalancingPolicy policy, int tableSize)
{
    /// <summary>More are seldom needed: with few healthy endpoints left health does not count, unless the panic threshold is set low.</summary>
    private const int MostHops = 64;

    private ConsistentTable? _table;

    /// <summary>Endpoints the keys are distributed to.</summary>
    public int Count => members.Length;

    /// <summary>Whether the table was used.</summary>
    public bool IsLaidOut => Volatile.Read(ref _table) is not null;

    /// <summary>Laid out on first use; any thread, and whichever is there first stays.</summary>
    private ConsistentTable Table => Volatile.Read(ref _table) ?? Interlocked.CompareExchange(ref _table, ConsistentTable.Build(members, policy, tableSize), null) ?? _table;

    /// <summary>Whether these would be laid out the same for others.</summary>
    public bool Fits(EndpointSnapshot[] others, LoadBalancingPolicy otherPolicy, int otherSize) =>
        policy == otherPolicy && tableSize == otherSize && members.AsSpan().SequenceEqual(others, ReferenceEqualityComparer.Instance);

    /// <summary>Lays the table out where it is not.</summary>
    public void LayOut() => _ = Table;

    /// <summary>The endpoint of a key; null when all that were met fail their checks.</summary>
    /// <param name="hash">Of the key.</param>
    /// <param name="overlooksHealth">Whether those are taken too.</param>
    public EndpointSnapshot? Of(ulong hash, bool overlooksHealth)
    {
        ConsistentTable table = Table;
        EndpointSnapshot home = members[table.Find(hash)];
        for (ulong hop = 1; !overlooksHealth && !home.Usable; hop++)
        {
            if (hop > MostHops)
            {
                return null;
            }

            home = members[table.Find(StableHash.Again(hash + hop))];
        }

        return home;
    }
}
