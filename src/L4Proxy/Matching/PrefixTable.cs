using System.Net;
using System.Net.Sockets;

namespace MeshL4.L4Proxy.Matching;

/// <summary>
/// Longest-prefix match. One dictionary per prefix length that occurs, longest first: tables have a handful of
/// lengths, so a lookup is a handful of probes. Built once, then only read.
/// </summary>
internal sealed class PrefixTable<T>
    where T : class, new()
{
    private readonly Family _v4 = new();
    private readonly Family _v6 = new();

    /// <summary>The entry of exactly this prefix, made when missing. Bits after the prefix do not count.</summary>
    public T GetOrAdd(IPNetwork network)
    {
        IPAddress address = network.BaseAddress;
        bool mapped = address.IsIPv4MappedToIPv6 && network.PrefixLength >= 96;
        int length = mapped ? network.PrefixLength - 96 : network.PrefixLength;
        bool v6 = !mapped && address.AddressFamily == AddressFamily.InterNetworkV6;
        return (v6 ? _v6 : _v4).GetOrAdd(AddressBits.From(address), length);
    }

    /// <summary>The entries of a criterion that does not restrict: the empty prefix of each family.</summary>
    public T GetOrAddAny(bool v6) => (v6 ? _v6 : _v4).GetOrAdd(default, 0);

    /// <summary>The entry with the longest prefix that holds the address; null when there is none.</summary>
    public T? Find(AddressBits address) => (address.IsV6 ? _v6 : _v4).Find(address);

    private sealed class Family
    {
        private Level[] _levels = [];

        public T GetOrAdd(AddressBits address, int length)
        {
            Level? level = Array.Find(_levels, l => l.Length == length);
            if (level is null)
            {
                level = new Level(length, []);
                _levels = [.. _levels.Append(level).OrderByDescending(l => l.Length)];
            }

            UInt128 key = address.Prefix(length).Value;
            if (!level.Entries.TryGetValue(key, out T? entry))
            {
                level.Entries[key] = entry = new T();
            }

            return entry;
        }

        public T? Find(AddressBits address)
        {
            foreach (Level level in _levels)
            {
                if (level.Entries.TryGetValue(address.Prefix(level.Length).Value, out T? entry))
                {
                    return entry;
                }
            }

            return null;
        }
    }

    private sealed record Level(int Length, Dictionary<UInt128, T> Entries);
}
