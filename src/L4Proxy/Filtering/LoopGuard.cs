using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace MeshL4.L4Proxy.Filtering;

/// <summary>
/// Keeps the proxy from talking to itself: it never dials an address it listens on, and it refuses a connection whose
/// peer is one of its own upstream sockets on the way to the same destination (redirect rules that do not exempt the
/// proxy, or an inbound cluster without a bind address, send its own dial back to it). Shared by all loops.
/// </summary>
internal sealed class LoopGuard
{
    private static readonly TimeSpan AddressesLive = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<(ProtocolType Protocol, IPEndPoint Local, EndPoint Target), byte> _ownUpstreams = new();
    private ImmutableArray<(ProtocolType Protocol, IPEndPoint Address)> _listeners = [];
    private Addresses _addresses = new([], long.MinValue);

    private sealed record Addresses(HashSet<IPAddress> Local, long ReadAt);

    /// <summary>The loops inside connect(2), whose dials are not registered yet.</summary>
    public DialTurns Dials { get; } = new();

    /// <summary>Replaces the addresses listened on. A dual-stack socket is two: of each family one.</summary>
    public void Listening(IEnumerable<(ProtocolType Protocol, IPEndPoint Address)> addresses) => _listeners = [.. addresses];

    public void Opened(ProtocolType protocol, IPEndPoint upstreamLocal, EndPoint target) => _ownUpstreams[(protocol, upstreamLocal, target)] = 0;

    public void Closed(ProtocolType protocol, IPEndPoint upstreamLocal, EndPoint target) =>
        _ownUpstreams.TryRemove((protocol, upstreamLocal, target), out _);

    /// <summary>
    /// True when an accepted connection (or the first datagram of a session) is a dial of this process that was sent back to it. The peer's address alone does
    /// not tell: the kernel gives one local port to connections with different destinations, an application's and ours.
    /// </summary>
    public bool IsOwnUpstream(ProtocolType protocol, IPEndPoint? peer, IPEndPoint? destination) =>
        peer is not null
        && destination is not null
        && (_ownUpstreams.ContainsKey((protocol, peer, destination))
            || (Dials.WaitForOthers() && _ownUpstreams.ContainsKey((protocol, peer, destination))));

    /// <summary>True when what is sent to <paramref name="target"/> would reach a listener of this process.</summary>
    public bool IsOwnListener(ProtocolType protocol, EndPoint target)
    {
        if (target is not IPEndPoint ip)
        {
            return false;
        }

        IPAddress address = ip.Address.IsIPv4MappedToIPv6 ? ip.Address.MapToIPv4() : ip.Address;
        foreach ((ProtocolType listens, IPEndPoint listener) in _listeners)
        {
            if (listener.Port == ip.Port
                && listens == protocol
                && listener.AddressFamily == address.AddressFamily
                && (listener.Address.Equals(address) || (IsAny(listener.Address) && IsLocal(address))))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    private bool IsLocal(IPAddress address)
    {
        if (IPAddress.IsLoopback(address) || IsAny(address))
        {
            return true;
        }

        // Asked only for ports we listen on, so reading the interfaces now and then costs nothing that matters.
        Addresses known = _addresses;
        if (known.ReadAt < Environment.TickCount64 - (long)AddressesLive.TotalMilliseconds)
        {
            known = new Addresses(ReadLocal(), Environment.TickCount64);
            _addresses = known;
        }

        return known.Local.Contains(address);
    }

    private static HashSet<IPAddress> ReadLocal() =>
        [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(static n => n.GetIPProperties().UnicastAddresses).Select(static a => a.Address)];
}
