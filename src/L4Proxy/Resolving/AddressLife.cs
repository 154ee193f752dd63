using System.Collections.Immutable;
using System.Net;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>What servers told of the addresses of a name.</summary>
/// <param name="Time">The least time to live.</param>
/// <param name="Addresses">The addresses.</param>
internal sealed record AddressLife(TimeSpan Time, ImmutableArray<IPAddress> Addresses)
{
    /// <summary>The name they were asked for: a search domain may have been added to that of the cluster.</summary>
    public string Name { get; init; } = "";

    /// <summary>
    /// How long the addresses that libc gave live; null when none of them is among these: they are from elsewhere, such as /etc/hosts. A server
    /// may give a part of its addresses each time, so that one in common is enough.
    /// </summary>
    public TimeSpan? For(IEnumerable<IPAddress> given) => given.Any(address => Addresses.Contains(address)) ? Time : null;

    /// <summary>Both kinds of addresses of one name.</summary>
    public static AddressLife Of(AddressLife one, AddressLife other) => new(one.Time < other.Time ? one.Time : other.Time, [.. one.Addresses, .. other.Addresses]);
}
