using System.Diagnostics.CodeAnalysis;

namespace MeshL4.Interceptor.Plan;

/// <summary>"tcp,udp:22,8000-8010:1000,2000-2999", as Kuma writes it: protocols and ports may be left out from the left, and ports may be
/// "*"; then all are meant.</summary>
internal static class UserExclusionParser
{
    /// <summary>Reads one entry.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out UserPortExclusion? exclusion)
    {
        string[] parts = text.Split(':');
        exclusion = null;
        if (parts.Length > 3 || Users(parts[^1]) is not { } users
            || !TryPorts(parts.Length > 1 ? parts[^2] : "*", out PortSet? ports)
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

    // Null for all of them.
    private static bool TryPorts(string text, out PortSet? ports)
    {
        ports = null;
        if (text is "*" or "")
        {
            return true;
        }

        var ranges = new List<PortRange>();
        foreach (string entry in text.Split(','))
        {
            if (!EntryParser.TryPortRange(entry, out PortRange range))
            {
                return false;
            }

            ranges.Add(range);
        }

        ports = new PortSet(ranges);
        return true;
    }

    private static List<IdRange>? Users(string text)
    {
        var users = new List<IdRange>();
        foreach (string entry in text.Split(','))
        {
            string[] ends = entry.Split('-');
            if (ends.Length > 2 || !EntryParser.TryId(ends[0], out uint first) || !EntryParser.TryId(ends[^1], out uint last) || first > last)
            {
                return null;
            }

            users.Add(new(first, last));
        }

        return Joined(users);
    }

    // The kernel's sets refuse ranges that overlap.
    private static List<IdRange> Joined(IEnumerable<IdRange> users)
    {
        var joined = new List<IdRange>();
        foreach (IdRange range in users.OrderBy(u => u.First))
        {
            if (joined.Count > 0 && range.First <= joined[^1].Last + 1)
            {
                joined[^1] = joined[^1] with { Last = Math.Max(joined[^1].Last, range.Last) };
            }
            else
            {
                joined.Add(range);
            }
        }

        return joined;
    }
}
