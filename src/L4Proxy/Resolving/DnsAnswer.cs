using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>Writes answers: the question as it came, letter for letter, and what belongs to it.</summary>
internal static class DnsAnswer
{
    /// <summary>Room every answer without records fits in, of whatever question.</summary>
    public const int StatusLength = DnsMessage.PlainDatagram;

    private const int OptionsLength = 11;
    private const int RecordHead = 12;
    private const int OwnDatagramLimit = 4096;

    /// <summary>A pointer to the question's name, which stands behind the header (RFC 1035 section 4.1.4).</summary>
    private const ushort QuestionName = 0xC000 | DnsMessage.HeaderLength;

    /// <summary>An answer without records: a failure, or that the name has none of the type.</summary>
    /// <param name="output">At least <see cref="StatusLength"/> bytes.</param>
    /// <param name="message">The question's message.</param>
    /// <param name="query">Its question, or its header alone.</param>
    /// <param name="code">Response code.</param>
    /// <param name="flags">Further flags.</param>
    public static int Status(Span<byte> output, ReadOnlySpan<byte> message, in DnsQuery query, int code, ushort flags = 0)
    {
        int length = Begin(output, message, query, code & 0xF, flags);
        return query.HasEdns ? Options(output, length, query, code >> 4) : length;
    }

    /// <summary>Addresses of a host, behind a CNAME when the question expanded its name with a search domain.</summary>
    /// <param name="output">Takes the answer.</param>
    /// <param name="message">The question's message.</param>
    /// <param name="query">A question of type A or AAAA.</param>
    /// <param name="match">What was found.</param>
    /// <param name="seconds">Time to live.</param>
    /// <param name="turn">Which address comes first: clients take the first, and so share the load.</param>
    /// <param name="limit">Longest answer; beyond it addresses are left out and the client is told.</param>
    public static int Addresses(
        Span<byte> output, ReadOnlySpan<byte> message, in DnsQuery query, in NameMatch match, uint seconds, uint turn, int limit)
    {
        ImmutableArray<IPAddress> addresses = query.Type == DnsMessage.TypeA ? match.Entry.V4 : match.Entry.V6;
        if (addresses.IsEmpty)
        {
            // NOERROR, not NXDOMAIN: the name is there, and who asks for A and AAAA at once must not take it for gone.
            return Status(output, message, query, DnsMessage.NoError, DnsMessage.AuthoritativeFlag);
        }

        int length = Begin(output, message, query, DnsMessage.NoError, DnsMessage.AuthoritativeFlag);
        limit = Math.Min(limit, output.Length) - (query.HasEdns ? OptionsLength : 0);
        ushort owner = QuestionName;
        int records = 0;
        if (match.BaseLength < query.NameLength)
        {
            owner = (ushort)(0xC000 | (length + RecordHead));
            length = Alias(output, length, message, match.BaseLength, seconds);
            records++;
        }

        for (int i = 0; i < addresses.Length; i++)
        {
            IPAddress address = addresses[(int)((turn + (uint)i) % (uint)addresses.Length)];
            int size = query.Type == DnsMessage.TypeA ? 4 : 16;
            if (length + RecordHead + size > limit)
            {
                output[2] |= DnsMessage.TruncatedFlag >> 8;
                break;
            }

            length = Record(output, length, owner, query.Type, seconds, size);
            address.TryWriteBytes(output[length..], out _);
            length += size;
            records++;
        }

        DnsMessage.SetCount(output, 1, records);
        return query.HasEdns ? Options(output, length, query, 0) : length;
    }

    private static int Begin(Span<byte> output, ReadOnlySpan<byte> message, in DnsQuery query, int code, ushort flags)
    {
        message[..query.End].CopyTo(output);
        int repeated = DnsMessage.Flags(message) & DnsMessage.RepeatedFlags;
        BinaryPrimitives.WriteUInt16BigEndian(
            output[2..], (ushort)(repeated | flags | code | DnsMessage.ResponseFlag | DnsMessage.RecursionAvailableFlag));
        DnsMessage.SetCount(output, 0, query.End > DnsMessage.HeaderLength ? 1 : 0);
        output.Slice(6, 6).Clear();
        return query.End;
    }

    private static int Alias(Span<byte> output, int length, ReadOnlySpan<byte> message, int baseLength, uint seconds)
    {
        // Encoded, each dot is the next label's length; the first label's length and the root's come to it.
        int encoded = baseLength + 1;
        length = Record(output, length, QuestionName, DnsMessage.TypeCname, seconds, encoded + 1);
        message.Slice(DnsMessage.HeaderLength, encoded).CopyTo(output[length..]);
        output[length + encoded] = 0;
        return length + encoded + 1;
    }

    private static int Record(Span<byte> output, int at, ushort owner, ushort type, uint seconds, int size)
    {
        BinaryPrimitives.WriteUInt16BigEndian(output[at..], owner);
        BinaryPrimitives.WriteUInt16BigEndian(output[(at + 2)..], type);
        BinaryPrimitives.WriteUInt16BigEndian(output[(at + 4)..], DnsMessage.ClassInternet);
        BinaryPrimitives.WriteUInt32BigEndian(output[(at + 6)..], seconds);
        BinaryPrimitives.WriteUInt16BigEndian(output[(at + 10)..], (ushort)size);
        return at + RecordHead;
    }

    private static int Options(Span<byte> output, int at, in DnsQuery query, int codeHigh)
    {
        Span<byte> record = output.Slice(at, OptionsLength);
        record.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(record[1..], DnsMessage.TypeOpt);
        BinaryPrimitives.WriteUInt16BigEndian(record[3..], OwnDatagramLimit);
        record[5] = (byte)codeHigh;
        record[7] = (byte)(query.DnssecOk ? 0x80 : 0);
        DnsMessage.SetCount(output, 3, 1);
        return at + OptionsLength;
    }
}
