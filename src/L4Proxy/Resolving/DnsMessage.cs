using System.Buffers.Binary;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>Numbers and the header of a DNS message: id, flags, four counts (RFC 1035 section 4.1.1). Spans hold at least a header.</summary>
internal static class DnsMessage
{
    public const int HeaderLength = 12;

    /// <summary>Longest message over TCP, whose length has two bytes.</summary>
    public const int Longest = ushort.MaxValue;

    /// <summary>Longest question taken, however it came: a name and options of EDNS fit many times.</summary>
    public const int LongestQuery = 4096;

    /// <summary>Longest answer over UDP to whoever does not ask for more.</summary>
    public const int PlainDatagram = 512;

    public const ushort TypeA = 1;
    public const ushort TypeCname = 5;
    public const ushort TypeAaaa = 28;
    public const ushort TypeOpt = 41;
    public const ushort ClassInternet = 1;

    public const int NoError = 0;
    public const int FormatError = 1;
    public const int ServerFailure = 2;
    public const int NameError = 3;
    public const int NotImplemented = 4;
    public const int Refused = 5;

    /// <summary>BADVERS of EDNS (RFC 6891): its upper bits stand in the OPT record.</summary>
    public const int BadVersion = 16;

    public const ushort ResponseFlag = 0x8000;
    public const ushort AuthoritativeFlag = 0x0400;
    public const ushort TruncatedFlag = 0x0200;
    public const ushort RecursionAvailableFlag = 0x0080;

    /// <summary>Opcode, recursion desired and checking disabled: what an answer repeats.</summary>
    public const ushort RepeatedFlags = 0x7910;

    public static ushort Id(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt16BigEndian(message);

    public static void SetId(Span<byte> message, ushort id) => BinaryPrimitives.WriteUInt16BigEndian(message, id);

    public static ushort Flags(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt16BigEndian(message[2..]);

    public static bool IsResponse(ReadOnlySpan<byte> message) => (message[2] & 0x80) != 0;

    public static int Opcode(ReadOnlySpan<byte> message) => (message[2] >> 3) & 0xF;

    public static int ResponseCode(ReadOnlySpan<byte> message) => message[3] & 0xF;

    /// <summary>Records of a section: 0 questions, 1 answers, 2 authorities, 3 additional.</summary>
    public static ushort Count(ReadOnlySpan<byte> message, int section) => BinaryPrimitives.ReadUInt16BigEndian(message[(4 + (2 * section))..]);

    public static void SetCount(Span<byte> message, int section, int count)
        => BinaryPrimitives.WriteUInt16BigEndian(message[(4 + (2 * section))..], (ushort)count);
}
