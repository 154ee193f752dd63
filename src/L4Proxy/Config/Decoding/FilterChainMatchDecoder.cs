using System.Collections.Immutable;
using System.Net;
using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles <c>FilterChainMatch</c>.</summary>
internal static class FilterChainMatchDecoder
{
    public static FilterChainMatchSnapshot Decode(FilterChainMatch? match, DecodeScope scope)
    {
        if (match is null)
        {
            return FilterChainMatchSnapshot.Any;
        }

        if (match.AddressSuffix.Length > 0 || match.SuffixLen is not null)
        {
            scope.Error("address_suffix and suffix_len are not supported");
        }

        return new FilterChainMatchSnapshot
        {
            DestinationPort = Port(match.DestinationPort, scope.Field("destination_port")),
            PrefixRanges = Ranges(match.PrefixRanges, scope, "prefix_ranges"),
            ServerNames = Names(match.ServerNames, scope),
            TransportProtocol = match.TransportProtocol,
            ApplicationProtocols = [.. match.ApplicationProtocols],
            DirectSourcePrefixRanges = Ranges(match.DirectSourcePrefixRanges, scope, "direct_source_prefix_ranges"),
            SourceType = match.SourceType switch
            {
                FilterChainMatch.Types.ConnectionSourceType.SameIpOrLoopback => SourceType.SameIpOrLoopback,
                FilterChainMatch.Types.ConnectionSourceType.External => SourceType.External,
                _ => SourceType.Any,
            },
            SourcePrefixRanges = Ranges(match.SourcePrefixRanges, scope, "source_prefix_ranges"),
            SourcePorts = SourcePorts(match.SourcePorts, scope),
        };
    }

    private static int? Port(uint? port, DecodeScope scope)
    {
        if (port is 0 or > ushort.MaxValue)
        {
            scope.Error($"{port} is not between 1 and 65535");
            return null;
        }

        return (int?)port;
    }

    private static ImmutableArray<IPNetwork> Ranges(RepeatedField<Core.CidrRange> ranges, DecodeScope scope, string field)
    {
        var decoded = ImmutableArray.CreateBuilder<IPNetwork>(ranges.Count);
        for (int i = 0; i < ranges.Count; i++)
        {
            if (AddressDecoder.DecodeRange(ranges[i], scope.Item(field, i)) is { } range)
            {
                decoded.Add(range);
            }
        }

        return decoded.ToImmutable();
    }

    private static ImmutableArray<string> Names(RepeatedField<string> names, DecodeScope scope)
    {
        var decoded = ImmutableArray.CreateBuilder<string>(names.Count);
        for (int i = 0; i < names.Count; i++)
        {
            string name = names[i].ToLowerInvariant();
            int star = name.LastIndexOf('*');
            if (name.Length == 0 || star > 0 || (star == 0 && !name.StartsWith("*.", StringComparison.Ordinal)))
            {
                scope.Item("server_names", i).Error($"'{names[i]}' is not a name: a wildcard is '*.' in front of a suffix");
                continue;
            }

            decoded.Add(name);
        }

        return decoded.ToImmutable();
    }

    private static ImmutableArray<int> SourcePorts(RepeatedField<uint> ports, DecodeScope scope)
    {
        var decoded = ImmutableArray.CreateBuilder<int>(ports.Count);
        for (int i = 0; i < ports.Count; i++)
        {
            if (Port(ports[i], scope.Item("source_ports", i)) is { } port)
            {
                decoded.Add(port);
            }
        }

        return decoded.ToImmutable();
    }
}
