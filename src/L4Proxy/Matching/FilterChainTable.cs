using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Matching;

/// <summary>
/// The chains of a listener compiled for lookup by Envoy's documented rule (comment on <c>FilterChainMatch</c> in
/// listener_components.proto): criteria in a fixed order, at each the most specific value some remaining chain has,
/// and no way back: a later criterion that fails ends the search. Immutable after <see cref="Compile"/>.
/// </summary>
internal sealed class FilterChainTable
{
    private static readonly FilterChainTable First = new(null);

    // Null where the first chain takes everything: most listeners have one chain without criteria, and there may be ten thousand of them.
    private readonly KeyedTable<int, PrefixTable<NameLevel>>? _byPort;

    private FilterChainTable(KeyedTable<int, PrefixTable<NameLevel>>? byPort) => _byPort = byPort;

    /// <summary>
    /// Builds the table. The number of leaves is the product of the list lengths of a chain, as in Envoy. Of chains that share a combination
    /// of criteria the first has it.
    /// </summary>
    public static FilterChainTable Compile(IReadOnlyList<FilterChainMatchSnapshot> matches)
    {
        if (matches is [{ TakesAll: true }])
        {
            return First;
        }

        var compiler = new FilterChainCompiler();
        for (int i = 0; i < matches.Count; i++)
        {
            compiler.Add(matches[i], i);
        }

        return new FilterChainTable(compiler.Root);
    }

    /// <summary>Index of the chain that takes the connection; -1 when none does. Allocates nothing.</summary>
    public int Find(in MatchInput input)
    {
        if (_byPort is null)
        {
            return 0;
        }

        NameLevel? names = _byPort.Find(input.Destination?.Port ?? 0)?.Find(AddressBits.From(input.Destination?.Address));
        TransportLevel? transports = names?.Names.Find(input.ServerName);
        ProtocolLevel? protocols = transports?.Transports.Find(input.TransportProtocol);
        DirectLevel? direct = protocols is null ? null : FindProtocol(protocols, input.ApplicationProtocols);
        SourceTypeLevel? types = direct?.Sources.Find(AddressBits.From(input.DirectSource?.Address));
        PrefixTable<PortLevel>? sources = types?.Find(input);
        PortLevel? ports = sources?.Find(AddressBits.From(input.Source?.Address));
        return ports?.Ports.Find(input.Source?.Port ?? 0)?.Chain ?? -1;
    }

    /// <summary>The first protocol in the client's order that any remaining chain names.</summary>
    private static DirectLevel? FindProtocol(ProtocolLevel level, ImmutableArray<string> protocols)
    {
        foreach (string protocol in protocols)
        {
            if (level.Protocols.FindExact(protocol) is { } found)
            {
                return found;
            }
        }

        return level.Protocols.Any;
    }
}
