using System.Text;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>The text of a refusal: every reason on a line of its own, as far as it fits. Where not all fit, long ones are cut, so that none hides the others.</summary>
internal static class NackText
{
    /// <summary>Longest text, in bytes of UTF-8.</summary>
    public const int MaxBytes = 4096;

    /// <summary>Longest line where not all fit, in bytes of UTF-8.</summary>
    private const int CutLine = 320;

    /// <summary>Of it, what a name may take: the field and the reason follow it.</summary>
    private const int CutName = 160;

    /// <summary>Room for the line that tells how many are left out.</summary>
    private const int Reserve = 64;

    private const string Ellipsis = "...";

    /// <summary>Lines of <c>type/name: field path: reason</c>; null when there is no error.</summary>
    public static string? Of(IReadOnlyList<ConfigIssue> issues, int errorCount)
    {
        if (errorCount == 0)
        {
            return null;
        }

        List<ConfigIssue> errors = [.. issues.Where(static issue => issue.Severity == IssueSeverity.Error).Select(static issue => issue with { Origin = null, Line = null })];
        bool fits = errors.Sum(static issue => (long)Size(issue.ToString())) <= MaxBytes - Reserve;
        var text = new StringBuilder();
        int bytes = 0, told = 0;
        foreach (ConfigIssue error in errors)
        {
            string line = fits ? error.ToString() : Cut((error with { Resource = Cut(error.Resource, CutName) }).ToString(), CutLine)!;
            int size = Size(line);
            if (bytes + size <= MaxBytes - Reserve)
            {
                text.Append(told++ == 0 ? "" : "\n").Append(line);
                bytes += size;
            }
        }

        int left = errorCount - told;
        return left == 0 ? text.ToString() : text.Append(told == 0 ? "" : "\n").Append($"and {left} more {(left == 1 ? "error" : "errors")}").ToString();
    }

    /// <summary>With the end of its line.</summary>
    private static int Size(string line) => Encoding.UTF8.GetByteCount(line) + 1;

    /// <summary>At most so many bytes of UTF-8; what was longer ends with an ellipsis.</summary>
    private static string? Cut(string? text, int most)
    {
        if (text is null || Encoding.UTF8.GetByteCount(text) <= most)
        {
            return text;
        }

        int bytes = Ellipsis.Length, length = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bytes += rune.Utf8SequenceLength;
            if (bytes > most)
            {
                break;
            }

            length += rune.Utf16SequenceLength;
        }

        return text[..length] + Ellipsis;
    }
}
