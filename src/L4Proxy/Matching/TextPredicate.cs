using System.Text.RegularExpressions;

namespace MeshL4.L4Proxy.Matching;

/// <summary>A condition on a text, compiled from a StringMatcher.</summary>
internal delegate bool TextPredicate(string text);

/// <summary>The kinds of <c>StringMatcher</c>.</summary>
internal static class TextPredicates
{
    public static TextPredicate Exact(string text, bool ignoreCase) => value => string.Equals(value, text, Comparison(ignoreCase));

    public static TextPredicate Prefix(string text, bool ignoreCase) => value => value.StartsWith(text, Comparison(ignoreCase));

    public static TextPredicate Suffix(string text, bool ignoreCase) => value => value.EndsWith(text, Comparison(ignoreCase));

    public static TextPredicate Contains(string text, bool ignoreCase) => value => value.Contains(text, Comparison(ignoreCase));

    /// <summary>The whole text has to match. Takes time in proportion to the text, whatever the expression.</summary>
    /// <exception cref="ArgumentException">The expression is none, or needs backtracking.</exception>
    /// <exception cref="NotSupportedException">The expression needs backtracking.</exception>
    public static TextPredicate Expression(string expression)
    {
        var regex = new Regex($@"\A(?:{expression})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        return regex.IsMatch;
    }

    private static StringComparison Comparison(bool ignoreCase) => ignoreCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
}
