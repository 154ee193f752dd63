using Google.Protobuf;
using MeshL4.L4Proxy.Matching;
using EnvoyMatcher = MeshL4.L4Proxy.Config.Protos.Envoy.Type.Matcher.V3.StringMatcher;
using XdsMatcher = MeshL4.L4Proxy.Config.Protos.Xds.Type.Matcher.V3.StringMatcher;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles the two StringMatchers of the API, which differ in their package.</summary>
internal static class StringMatcherDecoder
{
    /// <summary>Null, with an error, when there is nothing to match by.</summary>
    public static TextPredicate? Decode(EnvoyMatcher? matcher, DecodeScope scope)
    {
        switch (matcher?.MatchPatternCase)
        {
            case EnvoyMatcher.MatchPatternOneofCase.Exact:
                return TextPredicates.Exact(matcher.Exact, matcher.IgnoreCase);
            case EnvoyMatcher.MatchPatternOneofCase.Prefix:
                return TextPredicates.Prefix(matcher.Prefix, matcher.IgnoreCase);
            case EnvoyMatcher.MatchPatternOneofCase.Suffix:
                return TextPredicates.Suffix(matcher.Suffix, matcher.IgnoreCase);
            case EnvoyMatcher.MatchPatternOneofCase.Contains:
                return TextPredicates.Contains(matcher.Contains, matcher.IgnoreCase);
            case EnvoyMatcher.MatchPatternOneofCase.SafeRegex:
                return Expression(matcher.SafeRegex.Regex, scope.Field("safe_regex.regex"));
            default:
                scope.Error("one of exact, prefix, suffix, contains and safe_regex is required");
                return null;
        }
    }

    /// <summary>Null, with an error, when there is nothing to match by.</summary>
    /// <remarks>The two packages give the fields the same numbers and types: what one wrote the other reads.</remarks>
    public static TextPredicate? Decode(XdsMatcher matcher, DecodeScope scope) =>
        Decode(EnvoyMatcher.Parser.ParseFrom(matcher.ToByteString()), scope);

    /// <summary>As <see cref="Decode(EnvoyMatcher?, DecodeScope)"/>, for the bytes of a frame.</summary>
    public static BytesPredicate? DecodeBytes(EnvoyMatcher? matcher, DecodeScope scope)
    {
        if (Decode(matcher, scope) is null)
        {
            return null;
        }

        return matcher!.MatchPatternCase switch
        {
            EnvoyMatcher.MatchPatternOneofCase.Exact => BytesPredicates.Exact(matcher.Exact, matcher.IgnoreCase),
            EnvoyMatcher.MatchPatternOneofCase.Prefix => BytesPredicates.Prefix(matcher.Prefix, matcher.IgnoreCase),
            EnvoyMatcher.MatchPatternOneofCase.Suffix => BytesPredicates.Suffix(matcher.Suffix, matcher.IgnoreCase),
            EnvoyMatcher.MatchPatternOneofCase.Contains => BytesPredicates.Contains(matcher.Contains, matcher.IgnoreCase),
            _ => BytesPredicates.Expression(matcher.SafeRegex.Regex),
        };
    }

    private static TextPredicate? Expression(string expression, DecodeScope scope)
    {
        try
        {
            return TextPredicates.Expression(expression);
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            scope.Error($"is not a regular expression this proxy takes: {wrong.Message}");
            return null;
        }
    }
}
