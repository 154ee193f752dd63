using System.Net;
using MeshL4.L4Proxy.Matching;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Conditions put together from others. A list without an element is refused before it comes here.</summary>
internal static class ConnectionPredicates
{
    public static ConnectionPredicate Never { get; } = static (in _) => false;

    public static ConnectionPredicate Always { get; } = static (in _) => true;

    public static ConnectionPredicate All(ConnectionPredicate[] conditions) => (in input) =>
    {
        foreach (ConnectionPredicate condition in conditions)
        {
            if (!condition(input))
            {
                return false;
            }
        }

        return true;
    };

    public static ConnectionPredicate Any(ConnectionPredicate[] conditions) => (in input) =>
    {
        foreach (ConnectionPredicate condition in conditions)
        {
            if (condition(input))
            {
                return true;
            }
        }

        return false;
    };

    public static ConnectionPredicate Not(ConnectionPredicate condition) => (in input) => !condition(input);

    /// <summary>Which end of a connection a range is about.</summary>
    internal delegate IPEndPoint? End(in MatchInput input);

    /// <summary>The address of an end lies in a range. A Unix socket has no address and lies in none.</summary>
    public static ConnectionPredicate InRange(Core.CidrRange range, End end, DecodeScope scope)
    {
        if (AddressDecoder.DecodeRange(range, scope) is not { } network)
        {
            return Never;
        }

        AddressBits prefix = AddressBits.From(network.BaseAddress);
        int length = network.PrefixLength;
        return (in input) =>
            end(input)?.Address is { } address && AddressBits.From(address) is var bits && bits.IsV6 == prefix.IsV6 && bits.Prefix(length) == prefix;
    }
}
