using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Matching;

/// <summary>Lays chains out along the levels, one leaf per combination of their values.</summary>
internal sealed class FilterChainCompiler
{
    public KeyedTable<int, PrefixTable<NameLevel>> Root { get; } = new();

    public void Add(FilterChainMatchSnapshot match, int index)
    {
        PrefixTable<NameLevel> prefixes =
            match.DestinationPort is { } port ? Root.GetOrAdd(port) : Root.GetOrAddAny();
        IEnumerable<ChainLeaf> leaves =
            from name in At(prefixes, match.PrefixRanges)
            from transports in AtNames(name, match)
            let protocols = match.TransportProtocol.Length == 0
                ? transports.Transports.GetOrAddAny()
                : transports.Transports.GetOrAdd(match.TransportProtocol)
            from direct in At(protocols.Protocols, match.ApplicationProtocols)
            from type in At(direct.Sources, match.DirectSourcePrefixRanges)
            from ports in At(type.GetOrAdd(match.SourceType), match.SourcePrefixRanges)
            from leaf in At(ports.Ports, match.SourcePorts)
            select leaf;
        foreach (ChainLeaf leaf in leaves)
        {
            leaf.Chain = leaf.Chain < 0 ? index : leaf.Chain;
        }
    }

    private static IEnumerable<TransportLevel> AtNames(NameLevel level, FilterChainMatchSnapshot match) =>
        match.ServerNames.IsEmpty ? [level.Names.GetOrAddAny()] : match.ServerNames.Select(level.Names.GetOrAdd);

    private static IEnumerable<T> At<T>(PrefixTable<T> table, ImmutableArray<IPNetwork> ranges)
        where T : class, new() =>
        ranges.IsEmpty ? [table.GetOrAddAny(false), table.GetOrAddAny(true)] : ranges.Select(table.GetOrAdd);

    private static IEnumerable<T> At<TKey, T>(KeyedTable<TKey, T> table, ImmutableArray<TKey> keys)
        where TKey : notnull
        where T : class, new() =>
        keys.IsEmpty ? [table.GetOrAddAny()] : keys.Select(table.GetOrAdd);
}
