using System.Buffers.Binary;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>What a message from a client is.</summary>
internal enum QueryVerdict
{
    /// <summary>No header, or an answer: replying could begin a loop.</summary>
    Drop,

    /// <summary>Not to be read: FORMERR.</summary>
    FormatError,

    /// <summary>An opcode other than QUERY: NOTIMP.</summary>
    NotImplemented,

    /// <summary>A version of EDNS other than 0: BADVERS.</summary>
    BadVersion,

    /// <summary>One question.</summary>
    Question,
}

/// <summary>The question of a message. Names are followed by no pointer: a question has nothing in front to point to.</summary>
/// <param name="Type">QTYPE.</param>
/// <param name="Class">QCLASS.</param>
/// <param name="End">Offset behind the question.</param>
/// <param name="NameLength">Characters of the name.</param>
internal readonly record struct DnsQuery(ushort Type, ushort Class, int End, int NameLength)
{
    /// <summary>Characters of the longest name: 255 bytes less the length of the first label and the root.</summary>
    public const int LongestName = 253;

    private const int MostRecords = 32;
    private const int LongestEncodedName = 255;
    private const int LongestLabel = 63;
    private const int RecordTail = 10;
    private const int OptionsFlagDnssec = 0x8000;

    /// <summary>False when a label holds a dot or what no host name holds: the text would be another name's.</summary>
    public bool IsPlainName { get; init; }

    /// <summary>The client speaks EDNS, and so must the answer.</summary>
    public bool HasEdns { get; init; }

    /// <summary>Longest answer over UDP the client takes.</summary>
    public int DatagramLimit { get; init; }

    /// <summary>The DO bit, which an answer repeats.</summary>
    public bool DnssecOk { get; init; }

    public bool IsForAddresses => Class == DnsMessage.ClassInternet && Type is DnsMessage.TypeA or DnsMessage.TypeAaaa;

    /// <summary>Reads a message.</summary>
    /// <param name="message">As received.</param>
    /// <param name="name">Takes the name in lower case without a final dot; <see cref="LongestName"/> characters.</param>
    /// <param name="query">The question; its <see cref="End"/> is that of the header until a question could be read.</param>
    public static QueryVerdict Parse(ReadOnlySpan<byte> message, Span<char> name, out DnsQuery query)
    {
        query = new DnsQuery(0, 0, DnsMessage.HeaderLength, 0) { DatagramLimit = DnsMessage.PlainDatagram };
        if (message.Length < DnsMessage.HeaderLength || DnsMessage.IsResponse(message))
        {
            return QueryVerdict.Drop;
        }

        if (DnsMessage.Opcode(message) != 0)
        {
            return QueryVerdict.NotImplemented;
        }

        int end = DnsMessage.HeaderLength;
        if (DnsMessage.Count(message, 0) != 1 || !TryName(message, ref end, name, out int length, out bool plain) || message.Length - end < 4)
        {
            return QueryVerdict.FormatError;
        }

        query = new DnsQuery(
            BinaryPrimitives.ReadUInt16BigEndian(message[end..]), BinaryPrimitives.ReadUInt16BigEndian(message[(end + 2)..]), end + 4, length)
        {
            IsPlainName = plain, DatagramLimit = DnsMessage.PlainDatagram,
        };
        return Records(message, ref query);
    }

    /// <summary>Labels up to the root, no pointer among them.</summary>
    private static bool TryName(ReadOnlySpan<byte> message, ref int at, Span<char> name, out int length, out bool plain)
    {
        (int start, length, plain) = (at, 0, true);
        while (at < message.Length && message[at] != 0)
        {
            int label = message[at++];
            if (label > LongestLabel || label > message.Length - at || at + label + 1 - start > LongestEncodedName)
            {
                return false;
            }

            if (length > 0)
            {
                name[length++] = '.';
            }

            foreach (byte octet in message.Slice(at, label))
            {
                plain &= octet is > (byte)' ' and < 127 and not (byte)'.';
                name[length++] = (char)(octet is >= (byte)'A' and <= (byte)'Z' ? octet | 0x20 : octet);
            }

            at += label;
        }

        return at++ < message.Length;
    }

    /// <summary>The records behind the question, of which EDNS' matters.</summary>
    private static QueryVerdict Records(ReadOnlySpan<byte> message, ref DnsQuery query)
    {
        int count = DnsMessage.Count(message, 1) + DnsMessage.Count(message, 2) + DnsMessage.Count(message, 3);
        int at = query.End;
        bool oldVersion = true;
        for (int i = 0; i < count; i++)
        {
            int owner = at;
            if (i >= MostRecords || !TrySkipName(message, ref at) || message.Length - at < RecordTail)
            {
                return QueryVerdict.FormatError;
            }

            ReadOnlySpan<byte> tail = message.Slice(at, RecordTail);
            at += RecordTail + BinaryPrimitives.ReadUInt16BigEndian(tail[8..]);
            if (at > message.Length)
            {
                return QueryVerdict.FormatError;
            }

            if (BinaryPrimitives.ReadUInt16BigEndian(tail) == DnsMessage.TypeOpt)
            {
                if (query.HasEdns || message[owner] != 0)
                {
                    return QueryVerdict.FormatError;
                }

                query = WithOptions(query, tail);
                oldVersion = tail[5] == 0;
            }
        }

        return at != message.Length ? QueryVerdict.FormatError : oldVersion ? QueryVerdict.Question : QueryVerdict.BadVersion;
    }

    private static DnsQuery WithOptions(in DnsQuery query, ReadOnlySpan<byte> tail) => query with
    {
        HasEdns = true,
        DatagramLimit = Math.Max(DnsMessage.PlainDatagram, (int)BinaryPrimitives.ReadUInt16BigEndian(tail[2..])),
        DnssecOk = (BinaryPrimitives.ReadUInt16BigEndian(tail[6..]) & OptionsFlagDnssec) != 0,
    };

    /// <summary>Steps over a name; a pointer ends it and is not followed.</summary>
    internal static bool TrySkipName(ReadOnlySpan<byte> message, ref int at)
    {
        while (at < message.Length)
        {
            int label = message[at++];
            if (label == 0)
            {
                return true;
            }

            if (label > LongestLabel)
            {
                at++;
                return label >= 0xC0;
            }

            at += label;
        }

        return false;
    }
}
