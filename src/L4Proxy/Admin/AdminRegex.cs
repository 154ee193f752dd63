using System.Text.RegularExpressions;

namespace MeshL4.L4Proxy.Admin;

/// <summary>Regular expressions from a query string: bounded in length, and matched in linear time, whatever they say.</summary>
internal static class AdminRegex
{
    private const int MaxPattern = 512;

    /// <summary>Null or empty gives no filter. False when the pattern is too long, wrong, or needs backtracking.</summary>
    public static bool TryCompile(string? pattern, out Regex? regex, out string error)
    {
        regex = null;
        error = "";
        if (string.IsNullOrEmpty(pattern))
        {
            return true;
        }

        if (pattern.Length > MaxPattern)
        {
            error = $"longer than {MaxPattern} characters";
            return false;
        }

        try
        {
            regex = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            return true;
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            error = wrong.Message;
            return false;
        }
    }
}
