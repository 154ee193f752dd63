using System.Buffers;
using System.Globalization;
using System.Text;

namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>
/// Makes bytes from a peer harmless in a line-based log: no line break, no terminal escape, no unbalanced quote.
/// Backslash, quote and the usual controls take their C form; any other control, format or unpaired code unit
/// becomes <c>\uXXXX</c>.
/// </summary>
internal static class LogEscape
{
    private static readonly SearchValues<char> Safe = SearchValues.Create(
        " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Returns the same string when there is nothing to escape: the common case allocates nothing.</summary>
    public static string Escape(string text)
    {
        int first = text.AsSpan().IndexOfAnyExcept(Safe);
        if (first < 0)
        {
            return text;
        }

        StringBuilder escaped = new(text.Length + 16);
        escaped.Append(text, 0, first);
        Append(escaped, text.AsSpan(first), escapeQuotes: true);
        return escaped.ToString();
    }

    /// <summary>As <see cref="Escape"/>, but quotes stay: for our own messages, where only line breaks and controls do harm.</summary>
    public static string EscapeControls(string text)
    {
        if (text.AsSpan().IndexOfAnyExcept(Safe) < 0)
        {
            return text;
        }

        StringBuilder escaped = new(text.Length + 16);
        Append(escaped, text, escapeQuotes: false);
        return escaped.ToString();
    }

    private static void Append(StringBuilder escaped, ReadOnlySpan<char> text, bool escapeQuotes)
    {
        while (!text.IsEmpty)
        {
            OperationStatus status = Rune.DecodeFromUtf16(text, out Rune rune, out int used);
            if (status != OperationStatus.Done)
            {
                AppendUnits(escaped, text[..used]);
            }
            else if (!escapeQuotes && rune.Value is '"' or '\\')
            {
                escaped.Append((char)rune.Value);
            }
            else
            {
                AppendRune(escaped, rune, text[..used]);
            }

            text = text[used..];
        }
    }

    private static void AppendRune(StringBuilder escaped, Rune rune, ReadOnlySpan<char> units)
    {
        switch (rune.Value)
        {
            case '\n': escaped.Append("\\n"); break;
            case '\r': escaped.Append("\\r"); break;
            case '\t': escaped.Append("\\t"); break;
            case '"': escaped.Append("\\\""); break;
            case '\\': escaped.Append("\\\\"); break;
            default:
                if (IsHarmless(rune))
                {
                    escaped.Append(units);
                }
                else
                {
                    AppendUnits(escaped, units);
                }

                break;
        }
    }

    private static void AppendUnits(StringBuilder escaped, ReadOnlySpan<char> units)
    {
        foreach (char unit in units)
        {
            escaped.Append("\\u").Append(((int)unit).ToString("x4", CultureInfo.InvariantCulture));
        }
    }

    /// <summary>False for controls (C0, DEL, C1), bidirectional and other format characters, line separators and unassigned points.</summary>
    private static bool IsHarmless(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate);
}
