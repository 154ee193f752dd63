namespace MeshL4.Architecture.Tests.Reading;

/// <summary>
/// Blanks comments, strings and characters out of C# text and keeps every other character and every line where it was, so
/// that braces can be counted and words searched for. It knows no grammar beyond literals.
/// </summary>
internal static class SourceText
{
    public static string WithoutLiterals(string text)
    {
        char[] result = text.ToCharArray();
        for (int at = 0; at < text.Length;)
        {
            int end = LiteralEnd(text, at);
            for (int i = at; i < end; i++)
            {
                result[i] = text[i] == '\n' ? '\n' : ' ';
            }

            at = Math.Max(end, at + 1);
        }

        return new string(result);
    }

    /// <summary>End of the comment or literal that starts at <paramref name="at"/>; <paramref name="at"/> itself when none does.</summary>
    private static int LiteralEnd(string text, int at)
    {
        ReadOnlySpan<char> rest = text.AsSpan(at);
        return rest[0] switch
        {
            '/' when rest.StartsWith("//") => After(text, "\n", at) - 1,
            '/' when rest.StartsWith("/*") => After(text, "*/", at + 2),
            '\'' => QuotedEnd(text, at + 1, '\''),
            '"' or '$' or '@' => StringEnd(text, at),
            _ => at,
        };
    }

    private static int StringEnd(string text, int at)
    {
        int quote = at;
        while (quote < text.Length && text[quote] is '$' or '@')
        {
            quote++;
        }

        if (quote == text.Length || text[quote] != '"')
        {
            return at;
        }

        string prefix = text[at..quote];
        int quotes = text.AsSpan(quote).IndexOfAnyExcept('"');
        if (quotes >= 3)
        {
            return After(text, new string('"', quotes), quote + quotes);
        }

        return prefix.Contains('$') ? InterpolatedEnd(text, quote + 1, prefix.Contains('@'))
            : prefix.Contains('@') ? VerbatimEnd(text, quote + 1)
            : QuotedEnd(text, quote + 1, '"');
    }

    private static int QuotedEnd(string text, int at, char quote)
    {
        while (at < text.Length && text[at] != quote)
        {
            at += text[at] == '\\' ? 2 : 1;
        }

        return Math.Min(at + 1, text.Length);
    }

    private static int VerbatimEnd(string text, int at)
    {
        while (at < text.Length && (text[at] != '"' || text.AsSpan(at).StartsWith("\"\"")))
        {
            at += text[at] == '"' ? 2 : 1;
        }

        return Math.Min(at + 1, text.Length);
    }

    /// <summary>Holes may hold strings of their own; their braces are counted so that the quotes inside do not end the string.</summary>
    private static int InterpolatedEnd(string text, int at, bool verbatim)
    {
        int holes = 0;
        while (at < text.Length)
        {
            char c = text[at];
            bool doubled = at + 1 < text.Length && text[at + 1] == c;
            if (holes > 0 && c is '"' or '$' or '@' or '\'' && LiteralEnd(text, at) is var end && end > at)
            {
                at = end;
                continue;
            }

            if (holes == 0 && c == '"' && !(verbatim && doubled))
            {
                return at + 1;
            }

            bool escape = holes == 0 && ((c == '\\' && !verbatim) || (doubled && c is '{' or '}' or '"'));
            holes += escape ? 0 : c == '{' ? 1 : c == '}' && holes > 0 ? -1 : 0;
            at += escape ? 2 : 1;
        }

        return text.Length;
    }

    private static int After(string text, string mark, int from)
    {
        int found = from <= text.Length ? text.IndexOf(mark, from, StringComparison.Ordinal) : -1;
        return found < 0 ? text.Length + (mark == "\n" ? 1 : 0) : found + mark.Length;
    }
}
