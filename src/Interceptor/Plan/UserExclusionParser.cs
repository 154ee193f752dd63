using System.Diagnostics.CodeAnalysis;

namespace MeshL4.Interceptor.Plan;

/// <summary>"tcp,udp:22,8000-8010:1000,2000-2999", as Kuma writes it: protocols and ports may be left out from the left, and ports may be
/// "*"; then all are meant.</summary>
internal static class UserExclusionParser
{
    private static readonly PortSet AllPorts = new([new PortRange(1, 65535)]);

    /// <summary>Reads one entry.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out UserPortExclusion? exclusion)
    {
        string[] parts = text.Split(':');
        exclusion = null;
        if (parts.Length > 3 || Users(parts[^1]) is not { } users
            || Ports(parts.Length > 1 ? parts[^2] : "*") is not PortSet ports
            || Protocols(parts.Length > 2 ? parts[0] : "*") is not Transports transports)
        {
            return false;
        }

        exclusion = new(transports, ports, users);
        return true;
    }

    private static Transports? Protocols(string text)
    {
        Transports all = 0;
        foreach (string name in text.Split(','))
        {
            Transports? one = name switch { "tcp" => Transports.Tcp, "udp" => Transports.Udp, "*" or "" => Transports.Tcp | Transports.Udp, _ => null };
            if (one is null)
            {
                return null;
            }

            all |= one.Value;
        }

        return all;
    }

    private static PortSet? Ports(string text)
    {
        if (text is "*" or "")
        {
            return AllPorts;
        }

        var ranges = new List<PortRange>();
        foreach (string entry in text.Split(','))
        {
            if (!EntryParser.TryPortRange(entry, out PortRange range))
            {
                return null;
            }

            ranges.Add(range);
        }

        return new PortSet(ranges);
    }

    private static List<(uint First, uint Last)>? Users(string text)
    {
        var users = new List<(uint, uint)>();
        foreach (string entry in text.Split(','))
        {
            string[] ends = entry.Split('-');
            if (ends.Length > 2 || !EntryParser.TryId(ends[0], out uint first) || !EntryParser.TryId(ends[^1], out uint last) || first > last)
            {
                return null;
            }

            users.Add((first, last));
        }

        return users;
    }
}
