using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace MeshL4.L4Proxy.Matching;

/// <summary>A condition on a frame's text, as it stands in the frame (UTF-8).</summary>
internal delegate bool BytesPredicate(ReadOnlySpan<byte> value);

/// <summary>The kinds of <c>StringMatcher</c>, over bytes. All but expressions allocate nothing.</summary>
internal static class BytesPredicates
{
    /// <summary>Texts up to this many bytes are decoded on the stack.</summary>
    private const int ShortText = 1024;

    public static BytesPredicate Exact(string text, bool ignoreCase) => Of(
        text, ignoreCase, static (value, wanted) => value.SequenceEqual(wanted), static (value, wanted) => Ascii.EqualsIgnoreCase(value, wanted));

    public static BytesPredicate Prefix(string text, bool ignoreCase) => Of(
        text, ignoreCase,
        static (value, wanted) => value.StartsWith(wanted),
        static (value, wanted) => value.Length >= wanted.Length && Ascii.EqualsIgnoreCase(value[..wanted.Length], wanted));

    public static BytesPredicate Suffix(string text, bool ignoreCase) => Of(
        text, ignoreCase,
        static (value, wanted) => value.EndsWith(wanted),
        static (value, wanted) => value.Length >= wanted.Length && Ascii.EqualsIgnoreCase(value[^wanted.Length..], wanted));

    public static BytesPredicate Contains(string text, bool ignoreCase) => Of(
        text, ignoreCase, static (value, wanted) => value.IndexOf(wanted) >= 0, ContainsIgnoringCase);

    /// <summary>
    /// The whole text has to match, in time that is linear in its length, so that no text is too long to be judged: what a rule denies must not pass for its
    /// length. A frame at hand bounds it. As in RE2 <c>.</c> takes no line feed; bytes that are no UTF-8 stand as U+FFFD.
    /// </summary>
    /// <exception cref="ArgumentException">The expression is none.</exception>
    /// <exception cref="NotSupportedException">The expression needs backtracking.</exception>
    public static BytesPredicate Expression(string expression)
    {
        var regex = new Regex($@"\A(?:{expression})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        return value => value.Length <= ShortText ? MatchesShort(regex, value) : MatchesLong(regex, value);
    }

    private static bool MatchesShort(Regex regex, ReadOnlySpan<byte> value)
    {
        Span<char> text = stackalloc char[ShortText];
        return regex.IsMatch(text[..Encoding.UTF8.GetChars(value, text)]);
    }

    private static bool MatchesLong(Regex regex, ReadOnlySpan<byte> value)
    {
        char[] text = ArrayPool<char>.Shared.Rent(value.Length);
        bool matches = regex.IsMatch(text.AsSpan(0, Encoding.UTF8.GetChars(value, text)));
        ArrayPool<char>.Shared.Return(text);
        return matches;
    }

    private delegate bool Comparison(ReadOnlySpan<byte> value, ReadOnlySpan<byte> wanted);

    private static BytesPredicate Of(string text, bool ignoreCase, Comparison same, Comparison sameIgnoringCase)
    {
        byte[] wanted = Encoding.UTF8.GetBytes(text);
        return ignoreCase ? value => sameIgnoringCase(value, wanted) : value => same(value, wanted);
    }

    private static bool ContainsIgnoringCase(ReadOnlySpan<byte> value, ReadOnlySpan<byte> wanted)
    {
        for (int at = 0; at + wanted.Length <= value.Length; at++)
        {
            if (Ascii.EqualsIgnoreCase(value.Slice(at, wanted.Length), wanted))
            {
                return true;
            }
        }

        return false;
    }
}
