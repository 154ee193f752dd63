using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Protos.Istio.Networking.Nds.V1;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles a name table. A host that DNS cannot carry, or an address that is none, refuses the table: half a table would
/// send the other half's names to servers that do not know them.</summary>
internal static class NameTableDecoder
{
    private const string Kubernetes = "Kubernetes";
    private const int LongestName = 253;
    private const int LongestLabel = 63;

    public static NameTableSnapshot Decode(NameTable table, DecodeScope scope)
    {
        var entries = new SortedDictionary<string, NameEntry>(StringComparer.Ordinal);
        foreach ((string host, NameTable.Types.NameInfo info) in table.Table)
        {
            DecodeScope at = scope.Field($"table[\"{host}\"]");
            if (Decode(host, info, at) is { } entry && !entries.TryAdd(entry.Host, entry))
            {
                at.Error($"the host '{entry.Host}' stands twice: names differ in more than case and a final dot");
            }
        }

        return new NameTableSnapshot([.. entries.Values]);
    }

    /// <summary>Null for a host without addresses, which is not in the table then, and for one that is wrong.</summary>
    private static NameEntry? Decode(string host, NameTable.Types.NameInfo info, DecodeScope scope)
    {
        string? name = Name(host, scope);
        ILookup<AddressFamily, IPAddress> addresses = Addresses(info, scope).ToLookup(address => address.AddressFamily);
        if (name is null || addresses.Count == 0)
        {
            return null;
        }

        bool service = info.Registry == Kubernetes && info.Shortname.Length > 0 && info.Namespace.Length > 0;
#pragma warning disable CS0612 // Servers still send it.
        IEnumerable<string?> others = info.AltHosts.Select((other, i) => Name(other, scope.Item("alt_hosts", i)));
#pragma warning restore CS0612
        return new NameEntry(name, [.. addresses[AddressFamily.InterNetwork]], [.. addresses[AddressFamily.InterNetworkV6]])
        {
            ServiceName = service ? Name($"{info.Shortname}.{info.Namespace}", scope.Field("shortname")) ?? "" : "",
            OtherNames = [.. others.OfType<string>()],
        };
    }

    private static IEnumerable<IPAddress> Addresses(NameTable.Types.NameInfo info, DecodeScope scope)
    {
        var seen = new HashSet<IPAddress>();
        for (int i = 0; i < info.Ips.Count; i++)
        {
            // DNS cannot carry a scope.
            if (!AddressDecoder.TryParse(info.Ips[i], out IPAddress? address) || info.Ips[i].Contains('%'))
            {
                scope.Item("ips", i).Error($"'{info.Ips[i]}' is not an IP address");
            }
            else if (seen.Add(address))
            {
                yield return address;
            }
        }
    }

    private static string? Name(string host, DecodeScope scope)
    {
        string name = host.EndsWith('.') ? host[..^1] : host;
        string[] labels = name.Split('.');
        bool plain = name.Length is > 0 and <= LongestName && name.All(static c => c is > ' ' and < (char)127)
            && labels.All(static label => label.Length is > 0 and <= LongestLabel);
        bool wildcards = labels.Skip(1).Any(static label => label == "*") || name == "*";
        if (plain && !wildcards)
        {
            return name.ToLowerInvariant();
        }

        scope.Error(wildcards && plain ? $"'{host}' has a wildcard elsewhere than in front" : $"'{host}' is not a name that DNS can carry");
        return null;
    }
}
