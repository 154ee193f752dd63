using System.Text;
using System.Text.RegularExpressions;

namespace MeshL4.L4Proxy.Matching;

/// <summary>A condition on a frame's text, as it stands in the frame (UTF-8).</summary>
internal delegate bool BytesPredicate(ReadOnlySpan<byte> value);

/// <summary>The kinds of <c>StringMatcher</c>, over bytes. All but expressions allocate nothing.</summary>
internal static class BytesPredicates
{
    /// <summary>Longer texts match no expression: a bound on what a peer can make this proxy do.</summary>
    private const int LongestForExpression = 4096;

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

    /// <summary>The whole text has to match; the regular expression works without backtracking.</summary>
    /// <exception cref="ArgumentException">The expression is none.</exception>
    /// <exception cref="NotSupportedException">The expression needs backtracking.</exception>
    public static BytesPredicate Expression(string expression)
    {
        var regex = new Regex($@"\A(?:{expression})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        return value =>
        {
            if (value.Length > LongestForExpression)
            {
                return false;
            }

            Span<char> text = stackalloc char[LongestForExpression];
            return regex.IsMatch(text[..Encoding.UTF8.GetChars(value, text)]);
        };
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
