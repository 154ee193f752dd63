using System.Globalization;
using System.Text;

namespace MeshL4.Interceptor.Plan;

/// <summary>Values in quotes: in double ones as Go's strconv.Quote writes them (the downward API does), in single ones as YAML has
/// them.</summary>
internal static class QuotedText
{
    /// <summary>The text without its quotes, or as it is when it has none; null when quotes or escapes are wrong.</summary>
    public static string? Read(string text)
    {
        if (text.Length == 0 || text[0] is not ('"' or '\''))
        {
            return text;
        }

        if (text.Length < 2 || text[^1] != text[0])
        {
            return null;
        }

        return text[0] == '"' ? Unescaped(text[1..^1]) : text[1..^1].Replace("''", "'", StringComparison.Ordinal);
    }

    private static string? Unescaped(string text)
    {
        var value = new StringBuilder();
        for (int at = 0; at < text.Length; at++)
        {
            if (text[at] == '"')
            {
                return null;
            }

            if (text[at] != '\\')
            {
                value.Append(text[at]);
            }
            else if (Escape(text, ref at) is string one)
            {
                value.Append(one);
            }
            else
            {
                return null;
            }
        }

        return value.ToString();
    }

    // From the backslash; leaves the position at the escape's last character.
    private static string? Escape(string text, ref int at)
    {
        if (++at >= text.Length)
        {
            return null;
        }

        int digits = text[at] switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits == 0)
        {
            return Simple(text[at]);
        }

        if (at + digits >= text.Length
            || !uint.TryParse(text.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint code))
        {
            return null;
        }

        at += digits;
        return Rune.IsValid(code) ? new Rune(code).ToString() : null;
    }

    private static string? Simple(char letter) => letter switch
    {
        'a' => "\a",
        'b' => "\b",
        'f' => "\f",
        'n' => "\n",
        'r' => "\r",
        't' => "\t",
        'v' => "\v",
        '\\' or '"' or '/' => letter.ToString(),
        _ => null,
    };
}
