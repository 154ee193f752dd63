using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>The text form: <c>PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n</c>, 107 bytes at most with its CRLF.</summary>
internal static class ProxyProtocolV1
{
    /// <summary>Longest line with CRLF (specification, section 2.1).</summary>
    public const int MaxLine = 107;

    private static readonly SearchValues<byte> V6Characters = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    /// <summary>Parses bytes that begin with the signature.</summary>
    public static ProxySniff Parse(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> window = bytes[..Math.Min(bytes.Length, MaxLine)];
        int newline = window.IndexOf((byte)'\n');
        if (newline < 0)
        {
            return window.Length == MaxLine ? ProxySniff.Invalid("proxy_v1_no_newline") : ProxySniff.NeedMore;
        }

        if (window[newline - 1] != '\r')
        {
            return ProxySniff.Invalid("proxy_v1_no_carriage_return");
        }

        ReadOnlySpan<byte> words = window[ProxyProtocolHeader.V1Signature.Length..(newline - 1)];
        return ParseWords(words, newline + 1);
    }

    private static ProxySniff ParseWords(ReadOnlySpan<byte> words, int length)
    {
        ReadOnlySpan<byte> family = NextWord(ref words, out _);
        if (family.SequenceEqual("UNKNOWN"u8))
        {
            // What follows UNKNOWN on the line is to be ignored.
            return ProxySniff.Of(new ProxyHeader(1, null, null, length));
        }

        bool v6 = family.SequenceEqual("TCP6"u8);
        if (!v6 && !family.SequenceEqual("TCP4"u8))
        {
            return ProxySniff.Invalid("proxy_v1_family");
        }

        bool four = TryAddress(NextWord(ref words, out _), v6, out IPAddress? source)
            & TryAddress(NextWord(ref words, out _), v6, out IPAddress? destination)
            & TryPort(NextWord(ref words, out bool more), out int sourcePort)
            & TryPort(NextWord(ref words, out bool tail), out int destinationPort);
        return four && more && !tail
            ? ProxySniff.Of(new ProxyHeader(1, new(source!, sourcePort), new(destination!, destinationPort), length))
            : ProxySniff.Invalid("proxy_v1_addresses");
    }

    /// <summary>Words are parted by exactly one space.</summary>
    private static ReadOnlySpan<byte> NextWord(ref ReadOnlySpan<byte> rest, out bool more)
    {
        int space = rest.IndexOf((byte)' ');
        more = space >= 0;
        ReadOnlySpan<byte> word = more ? rest[..space] : rest;
        rest = more ? rest[(space + 1)..] : default;
        return word;
    }

    private static bool TryAddress(ReadOnlySpan<byte> word, bool v6, out IPAddress? address)
    {
        address = null;
        if (!v6)
        {
            return TryV4(word, out address);
        }

        return !word.ContainsAnyExcept(V6Characters) && word.Contains((byte)':')
            && IPAddress.TryParse(Encoding.Latin1.GetString(word), out address)
            && address.AddressFamily == AddressFamily.InterNetworkV6;
    }

    /// <summary>Strict dotted decimal: the framework's parser also takes octal, hex and short forms.</summary>
    private static bool TryV4(ReadOnlySpan<byte> word, out IPAddress? address)
    {
        address = null;
        Span<byte> parts = stackalloc byte[4];
        for (int i = 0; i < parts.Length; i++)
        {
            int dot = word.IndexOf((byte)'.');
            ReadOnlySpan<byte> part = dot < 0 ? word : word[..dot];
            if (dot < 0 != (i == 3) || !TryNumber(part, byte.MaxValue, out int value))
            {
                return false;
            }

            parts[i] = (byte)value;
            word = word[(dot + 1)..];
        }

        address = new IPAddress(parts);
        return true;
    }

    private static bool TryPort(ReadOnlySpan<byte> word, out int port) => TryNumber(word, ushort.MaxValue, out port);

    /// <summary>Decimal digits without leading zeros.</summary>
    private static bool TryNumber(ReadOnlySpan<byte> digits, int max, out int value)
    {
        value = 0;
        if (digits.IsEmpty || digits.Length > 5 || (digits[0] == '0' && digits.Length > 1))
        {
            return false;
        }

        foreach (byte digit in digits)
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return false;
            }

            value = (value * 10) + (digit - '0');
        }

        return value <= max;
    }
}
