using System.Text.RegularExpressions;

namespace MeshL4.L4Proxy.Config.Decoding.Tree;

/// <summary>What an unquoted YAML scalar is, by YAML 1.2's core schema (so <c>yes</c> and <c>on</c> are strings).</summary>
internal static partial class PlainScalar
{
    public static ScalarKind KindOf(string text) => text switch
    {
        "" or "~" or "null" or "Null" or "NULL" => ScalarKind.Null,
        "true" or "True" or "TRUE" or "false" or "False" or "FALSE" => ScalarKind.Bool,
        _ => text.Length <= 64 && Number().IsMatch(text) ? ScalarKind.Number : ScalarKind.String,
    };

    [GeneratedRegex(
        @"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+|0o[0-7]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Number();
}
