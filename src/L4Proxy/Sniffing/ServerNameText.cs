using System.Buffers;
using System.Text;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>
/// SNI from the wire as text to match on. Only letters, digits, <c>- _ .</c> and <c>:</c> (clients that send an IPv6
/// literal exist) pass. NUL, blanks, control and non-ASCII bytes are refused and not dropped: a name that two parties
/// read differently is how a stricter chain is missed.
/// </summary>
internal static class ServerNameText
{
    /// <summary>Longest DNS name in text, with the trailing dot.</summary>
    public const int MaxLength = 255;

    private static readonly SearchValues<byte> Allowed =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:"u8);

    /// <summary>Lower-cases and takes off one trailing dot; false for an empty, overlong or otherwise odd name.</summary>
    public static bool TryNormalize(ReadOnlySpan<byte> wire, out string? name)
    {
        name = null;
        if (wire.Length > MaxLength || wire.ContainsAnyExcept(Allowed))
        {
            return false;
        }

        ReadOnlySpan<byte> text = wire.EndsWith("."u8) ? wire[..^1] : wire;
        if (text.IsEmpty || text[0] == '.' || text[^1] == '.')
        {
            return false;
        }

        name = string.Create(text.Length, text, static (chars, bytes) => Ascii.ToLower(bytes, chars, out _));
        return true;
    }
}
