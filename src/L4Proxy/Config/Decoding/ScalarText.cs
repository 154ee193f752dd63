using System.Globalization;
using System.Numerics;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Numbers and durations as YAML and protobuf's JSON spell them.</summary>
internal static class ScalarText
{
    /// <summary>protobuf's bound of a Duration: about 10,000 years.</summary>
    public const long MaxDurationSeconds = 315_576_000_000;

    /// <summary>A whole number, also as <c>0x1f</c>, <c>0o17</c>, <c>1e3</c> or <c>5.0</c>. A leading zero is refused: readers disagree on it.</summary>
    public static bool TryInteger<T>(string text, out T value) where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        value = default;
        if (text.Length > 64)
            return false;
        if (text.StartsWith("0x", StringComparison.Ordinal))
            return T.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value) && !T.IsNegative(value);
        if (text.StartsWith("0o", StringComparison.Ordinal))
            return TryOctal(text.AsSpan(2), out value);
        ReadOnlySpan<char> digits = text.AsSpan().TrimStart("+-");
        if (digits.Length > 1 && digits[0] == '0' && char.IsAsciiDigit(digits[1]))
            return false;
        if (T.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value))
            return true;
        return decimal.TryParse(text, NumberStyles.Float & ~NumberStyles.AllowLeadingWhite & ~NumberStyles.AllowTrailingWhite,
                   CultureInfo.InvariantCulture, out decimal whole)
            && decimal.IsInteger(whole) && TryNarrow(whole, out value);
    }

    /// <summary>A floating-point number, infinities and NaN in the spellings of YAML and of protobuf's JSON.</summary>
    public static bool TryDouble(string text, out double value)
    {
        switch (text)
        {
            case ".inf" or "+.inf" or ".Inf" or ".INF" or "Infinity":
                value = double.PositiveInfinity;
                return true;
            case "-.inf" or "-.Inf" or "-.INF" or "-Infinity":
                value = double.NegativeInfinity;
                return true;
            case ".nan" or ".NaN" or ".NAN" or "NaN":
                value = double.NaN;
                return true;
        }
        if (text.StartsWith("0x", StringComparison.Ordinal) || text.StartsWith("0o", StringComparison.Ordinal))
        {
            bool whole = TryInteger(text, out long integer);
            value = integer;
            return whole;
        }
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return double.TryParse(text, Style, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);
    }

    /// <summary>Seconds with an <c>s</c> and up to nine decimals: <c>1s</c>, <c>0.25s</c>, <c>-1.5s</c>.</summary>
    public static bool TryDuration(string text, out long seconds, out int nanos)
    {
        (seconds, nanos) = (0, 0);
        if (text.Length is < 2 or > 32 || text[^1] != 's')
            return false;
        bool negative = text[0] == '-';
        ReadOnlySpan<char> number = text.AsSpan(negative ? 1 : 0, text.Length - (negative ? 2 : 1));
        int dot = number.IndexOf('.');
        ReadOnlySpan<char> whole = dot < 0 ? number : number[..dot];
        ReadOnlySpan<char> fraction = dot < 0 ? [] : number[(dot + 1)..];
        if (!long.TryParse(whole, NumberStyles.None, CultureInfo.InvariantCulture, out seconds) || fraction.Length > 9)
            return false;
        if (dot >= 0 && !int.TryParse(fraction.ToString().PadRight(9, '0'), NumberStyles.None, CultureInfo.InvariantCulture, out nanos))
            return false;
        if (seconds > MaxDurationSeconds || (seconds == MaxDurationSeconds && nanos > 0))
            return false;
        if (negative)
            (seconds, nanos) = (-seconds, -nanos);
        return true;
    }

    private static bool TryOctal<T>(ReadOnlySpan<char> digits, out T value) where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        value = default;
        BigInteger sum = 0;
        foreach (char digit in digits)
        {
            if (digit is < '0' or > '7')
                return false;
            sum = (sum * 8) + (digit - '0');
        }
        if (digits.IsEmpty || sum > BigInteger.CreateChecked(T.MaxValue))
            return false;
        value = T.CreateChecked(sum);
        return true;
    }

    private static bool TryNarrow<T>(decimal whole, out T value) where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        bool fits = whole >= decimal.CreateChecked(T.MinValue) && whole <= decimal.CreateChecked(T.MaxValue);
        value = fits ? T.CreateChecked(whole) : default;
        return fits;
    }
}
