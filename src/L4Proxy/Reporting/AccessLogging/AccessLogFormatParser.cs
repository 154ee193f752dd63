using System.Globalization;
using System.Text;

namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>Splits a format into literals and <c>%NAME(argument):length%</c>; <c>%%</c> is one percent sign.</summary>
internal static class AccessLogFormatParser
{
    public static bool TryParse(string text, out List<AccessLogPart> parts, out string error)
    {
        parts = [];
        error = "";
        StringBuilder literal = new();
        int i = 0;
        while (i < text.Length)
        {
            if (text[i] != '%')
            {
                literal.Append(text[i++]);
            }
            else if (i + 1 < text.Length && text[i + 1] == '%')
            {
                literal.Append('%');
                i += 2;
            }
            else if (TryOperator(text, ref i, out AccessLogPart? part, out error))
            {
                Flush(literal, parts);
                parts.Add(part!);
            }
            else
            {
                return false;
            }
        }

        Flush(literal, parts);
        return true;
    }

    private static void Flush(StringBuilder literal, List<AccessLogPart> parts)
    {
        if (literal.Length > 0)
        {
            parts.Add(new AccessLogPart(literal.ToString()));
            literal.Clear();
        }
    }

    /// <summary>Reads one operator; <paramref name="i"/> is at its percent sign and ends behind the closing one.</summary>
    private static bool TryOperator(string text, ref int i, out AccessLogPart? part, out string error)
    {
        int start = i;
        part = null;
        int at = start + 1;
        while (at < text.Length && (char.IsAsciiLetterUpper(text[at]) || char.IsAsciiDigit(text[at]) || text[at] == '_'))
        {
            at++;
        }

        string name = text[(start + 1)..at];
        if (!TryArgument(text, ref at, out string? argument) || !TryLength(text, ref at, out int? length)
            || name.Length == 0 || at >= text.Length || text[at] != '%')
        {
            string shown = LogEscape.Escape(text[start..Math.Min(text.Length, start + 40)]);
            error = $"malformed command operator at position {start}: '{shown}'";
            return false;
        }

        if (!LogOperators.TryFind(name, argument, out LogOperator found, out string reason))
        {
            error = $"{reason}: '%{name}%' at position {start}";
            return false;
        }

        error = "";
        part = new AccessLogPart("", found, length);
        i = at + 1;
        return true;
    }

    /// <summary>Reads <c>(argument)</c>; the argument of START_TIME holds percent signs of its own.</summary>
    private static bool TryArgument(string text, ref int at, out string? argument)
    {
        argument = null;
        if (at >= text.Length || text[at] != '(')
        {
            return true;
        }

        int close = text.IndexOf(')', at);
        if (close < 0)
        {
            return false;
        }

        argument = text[(at + 1)..close];
        at = close + 1;
        return true;
    }

    private static bool TryLength(string text, ref int at, out int? length)
    {
        length = null;
        if (at >= text.Length || text[at] != ':')
        {
            return true;
        }

        int end = at + 1;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
        {
            end++;
        }

        bool good = int.TryParse(text.AsSpan(at + 1, end - at - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int parsed);
        length = good ? parsed : null;
        at = end;
        return good;
    }
}
