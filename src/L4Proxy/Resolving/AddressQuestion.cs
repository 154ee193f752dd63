using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using System.Text;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>A question of our own about the addresses of a name, and how long the records of its answer live.</summary>
internal static class AddressQuestion
{
    private const int LongestLabel = 63;
    private const int LongestEncodedName = 255;
    private const int RecordTail = 10;
    private const ushort RecursionDesired = 0x0100;

    /// <summary>Longest answer asked for: what passes without fragments (DNS flag day 2020).</summary>
    private const ushort DatagramLimit = 1232;

    /// <summary>The message, with EDNS; null for what is no name that DNS can carry.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="name">Without a final dot.</param>
    /// <param name="type"><see cref="DnsMessage.TypeA"/> or <see cref="DnsMessage.TypeAaaa"/>.</param>
    public static byte[]? Write(ushort id, string name, ushort type)
    {
        using var message = new MemoryStream();
        message.Write([(byte)(id >> 8), (byte)id, RecursionDesired >> 8, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        foreach (string label in name.Split('.'))
        {
            if (label.Length is 0 or > LongestLabel || !Ascii.IsValid(label))
            {
                return null;
            }

            message.WriteByte((byte)label.Length);
            message.Write(Encoding.Latin1.GetBytes(label));
        }

        message.WriteByte(0);
        if (message.Length - DnsMessage.HeaderLength > LongestEncodedName)
        {
            return null;
        }

        message.Write([0, (byte)type, 0, (byte)DnsMessage.ClassInternet]);
        message.Write([0, 0, (byte)DnsMessage.TypeOpt, DatagramLimit >> 8, DatagramLimit & 0xFF, 0, 0, 0, 0, 0, 0]);
        return message.ToArray();
    }

    /// <summary>
    /// The addresses of a type, and the least time to live of the records that lead to them, aliases among them; null when the answer has
    /// none. What is cut off counts as absent.
    /// </summary>
    /// <param name="answer">An answer to <paramref name="query"/>.</param>
    /// <param name="query">The question.</param>
    public static AddressLife? LifetimeIn(ReadOnlySpan<byte> answer, in DnsQuery query)
    {
        uint least = uint.MaxValue;
        var addresses = ImmutableArray.CreateBuilder<IPAddress>();
        int at = query.End;
        for (int left = DnsMessage.Count(answer, 1); left > 0 && DnsQuery.TrySkipName(answer, ref at) && answer.Length - at >= RecordTail; left--)
        {
            ushort type = BinaryPrimitives.ReadUInt16BigEndian(answer[at..]);
            uint seconds = BinaryPrimitives.ReadUInt32BigEndian(answer[(at + 4)..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(answer[(at + 8)..]);
            at += RecordTail;
            if (length > answer.Length - at)
            {
                break;
            }

            if (type == query.Type && length == (type == DnsMessage.TypeA ? 4 : 16))
            {
                addresses.Add(new IPAddress(answer.Slice(at, length)));
            }

            at += length;
            if (type == query.Type || type == DnsMessage.TypeCname)
            {
                // The upper bit set means zero (RFC 2181 section 8).
                least = Math.Min(least, seconds > int.MaxValue ? 0 : seconds);
            }
        }

        return addresses.Count > 0 ? new AddressLife(TimeSpan.FromSeconds(least), addresses.ToImmutable()) : null;
    }
}
