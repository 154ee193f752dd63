using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Explain;

/// <summary>The packets of one family that a rule is for, as far as numbers say it: a set of numbers for the transport, the destination's port
/// and address, the source and the owner's ids. A packet belongs to it when each of its numbers is in the set of its kind.</summary>
internal sealed class PacketSpace
{
    private const int Transport = 0, Port = 1, Destination = 2, Source = 3, User = 4, Group = 5, Kinds = 6;

    // TCP is 0, UDP 1, as the flags have it; everything else is one more.
    private const int OtherTransport = 2;

    // A packet whose socket is gone has no owner: one more than the largest id.
    private const ulong NoOwner = (ulong)uint.MaxValue + 1;

    private readonly Spans[] _numbers;

    private PacketSpace(Spans[] numbers) => _numbers = numbers;

    private bool IsEmpty => Array.Exists(_numbers, n => n.IsEmpty);

    /// <summary>What <paramref name="rule"/> is for in <paramref name="family"/>; null when that is nothing. Conditions that are no numbers are
    /// taken to hold: see <see cref="IsNumeric"/>.</summary>
    public static PacketSpace? Of(RedirectRule rule, AddressFamily family)
    {
        Spans addresses = Spans.Of(0, family == AddressFamily.InterNetwork ? uint.MaxValue : UInt128.MaxValue);
        Spans owners = Spans.Of(0, NoOwner);
        var space = new PacketSpace([Spans.Of(0, OtherTransport), Spans.Of(0, ushort.MaxValue), addresses, addresses, owners, owners]);
        foreach (RuleMatch match in rule.Matches)
        {
            if (match is FamilyMatch f ? f.Family != family : !space.Narrow(match, family))
            {
                return null;
            }
        }

        return space.IsEmpty ? null : space;
    }

    /// <summary>Is a condition wholly told by numbers?</summary>
    public static bool IsNumeric(RuleMatch match) => match is FamilyMatch or TransportMatch or DestinationMatch or SourceMatch or OwnerMatch;

    /// <summary>The packets that are not in <paramref name="other"/>, as spaces that have none in common.</summary>
    public IEnumerable<PacketSpace> Without(PacketSpace other)
    {
        var common = (Spans[])_numbers.Clone();
        for (int kind = 0; kind < Kinds; kind++)
        {
            Spans outside = _numbers[kind].Without(other._numbers[kind]);
            Spans inside = _numbers[kind].And(other._numbers[kind]);
            if (!outside.IsEmpty)
            {
                var part = (Spans[])common.Clone();
                part[kind] = outside;
                yield return new PacketSpace(part);
            }

            if (inside.IsEmpty)
            {
                yield break;
            }

            common[kind] = inside;
        }
    }

    private bool Narrow(RuleMatch match, AddressFamily family)
    {
        switch (match)
        {
            case TransportMatch t:
                _numbers[Transport] = _numbers[Transport].And(Spans.Of(Numbers(t.Transports)));
                Keep(Port, t.Ports is null ? null : Spans.Of(t.Ports.Ranges.Select(r => ((UInt128)r.First, (UInt128)r.Last))), t.Negated);
                return true;
            case DestinationMatch d:
                Keep(Destination, Addresses(d.Blocks), d.Negated);
                return d.Blocks.Family == family;
            case SourceMatch s:
                Keep(Source, Addresses(s.Blocks), false);
                return s.Blocks.Family == family;
            case OwnerMatch o:
                int kind = o.IsGroup ? Group : User;
                _numbers[kind] = _numbers[kind].And(Spans.Of(0, uint.MaxValue));
                Keep(kind, Spans.Of(o.Ids.Select(i => ((UInt128)i.First, (UInt128)i.Last))), o.Negated);
                return true;
            default:
                return true;
        }
    }

    private void Keep(int kind, Spans? wanted, bool negated)
    {
        if (wanted is not null)
        {
            _numbers[kind] = negated ? _numbers[kind].Without(wanted) : _numbers[kind].And(wanted);
        }
    }

    private static IEnumerable<(UInt128 First, UInt128 Last)> Numbers(Transports transports) =>
        Enumerable.Range(0, OtherTransport).Where(n => transports.HasFlag((Transports)(1 << n))).Select(n => ((UInt128)n, (UInt128)n));

    private static Spans Addresses(CidrSet blocks) => Spans.Of(blocks.Blocks.Select(Range));

    private static (UInt128 First, UInt128 Last) Range(IPNetwork block)
    {
        int bits = (block.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? 32 : 128) - block.PrefixLength;
        UInt128 first = Number(block.BaseAddress);
        return (first, bits == 128 ? UInt128.MaxValue : first + ((UInt128.One << bits) - 1));
    }

    // Most significant byte first.
    private static UInt128 Number(IPAddress address)
    {
        UInt128 number = 0;
        foreach (byte b in address.GetAddressBytes())
        {
            number = (number << 8) | b;
        }

        return number;
    }
}
