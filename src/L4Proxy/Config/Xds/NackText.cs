using System.Text;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>The text of a refusal: every reason on a line of its own, as far as it fits.</summary>
internal static class NackText
{
    /// <summary>Longest text, in bytes of UTF-8.</summary>
    public const int MaxBytes = 4096;

    /// <summary>Room for the line that tells how many are left out.</summary>
    private const int Reserve = 64;

    /// <summary>Lines of <c>type/name: field path: reason</c>; null when there is no error.</summary>
    public static string? Of(IReadOnlyList<ConfigIssue> issues, int errorCount)
    {
        if (errorCount == 0)
        {
            return null;
        }

        var text = new StringBuilder();
        int bytes = 0, told = 0;
        foreach (string line in issues.Where(issue => issue.Severity == IssueSeverity.Error).Select(issue => (issue with { Origin = null, Line = null }).ToString()))
        {
            int size = Encoding.UTF8.GetByteCount(line) + 1;
            if (bytes + size > MaxBytes - Reserve)
            {
                break;
            }

            text.Append(told++ == 0 ? "" : "\n").Append(line);
            bytes += size;
        }

        int left = errorCount - told;
        return left == 0 ? text.ToString() : text.Append(told == 0 ? "" : "\n").Append($"and {left} more {(left == 1 ? "error" : "errors")}").ToString();
    }
}
