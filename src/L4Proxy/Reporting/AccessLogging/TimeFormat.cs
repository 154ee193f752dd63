using System.Globalization;
using System.Text;

namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>
/// A strftime pattern, compiled. Beside the usual letters it takes Envoy's <c>%1f</c> to <c>%9f</c> (fraction digits) and
/// <c>%s</c> with an optional digit 3, 6 or 9 (milli-, micro-, nanoseconds since the epoch). All times are UTC.
/// </summary>
internal sealed class TimeFormat
{
    /// <summary>What START_TIME prints without an argument.</summary>
    public const string Default = "%Y-%m-%dT%H:%M:%S.%3fZ";

    private readonly List<Action<DateTime, StringBuilder>> _parts = [];

    /// <summary>Compiles a pattern; false names the letter that is not known.</summary>
    public static bool TryCompile(string pattern, out TimeFormat format, out string error)
    {
        format = new TimeFormat();
        error = "";
        int i = 0;
        while (i < pattern.Length)
        {
            int percent = pattern.IndexOf('%', i);
            int end = percent < 0 ? pattern.Length : percent;
            format.AddLiteral(pattern[i..end]);
            if (percent < 0)
            {
                break;
            }

            int digits = percent + 1 < pattern.Length && char.IsAsciiDigit(pattern[percent + 1]) ? pattern[percent + 1] - '0' : 0;
            int at = percent + (digits > 0 ? 2 : 1);
            if (at >= pattern.Length || Specifier(pattern[at], digits) is not { } part)
            {
                error = $"unknown time specifier '{LogEscape.Escape(pattern[percent..Math.Min(at + 1, pattern.Length)])}'";
                return false;
            }

            format._parts.Add(part);
            i = at + 1;
        }

        return true;
    }

    public string Format(DateTimeOffset time)
    {
        StringBuilder text = new(32);
        foreach (Action<DateTime, StringBuilder> part in _parts)
        {
            part(time.UtcDateTime, text);
        }

        return text.ToString();
    }

    private void AddLiteral(string literal)
    {
        if (literal.Length > 0)
        {
            _parts.Add((_, text) => text.Append(literal));
        }
    }

    private static Action<DateTime, StringBuilder>? Specifier(char letter, int digits) => letter switch
    {
        'f' => Fraction(digits == 0 ? 9 : digits),
        's' => Epoch(digits),
        _ when digits != 0 => null,
        'e' => static (t, text) => text.Append(t.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2)),
        'j' => static (t, text) => text.Append(t.DayOfYear.ToString("000", CultureInfo.InvariantCulture)),
        _ => Constant(letter) is { } constant ? (_, text) => text.Append(constant)
            : DotNetPattern(letter) is { } pattern ? (t, text) => text.Append(t.ToString(pattern, CultureInfo.InvariantCulture))
            : null,
    };

    private static string? Constant(char letter) => letter switch
    {
        'Z' => "UTC",
        'z' => "+0000",
        'n' => "\n",
        't' => "\t",
        '%' => "%",
        _ => null,
    };

    private static string? DotNetPattern(char letter) => letter switch
    {
        'Y' => "yyyy",
        'y' => "yy",
        'm' => "MM",
        'd' => "dd",
        'H' => "HH",
        'I' => "hh",
        'M' => "mm",
        'S' => "ss",
        'p' => "tt",
        'a' => "ddd",
        'A' => "dddd",
        'b' or 'h' => "MMM",
        'B' => "MMMM",
        'F' => "yyyy-MM-dd",
        'T' => "HH:mm:ss",
        'R' => "HH:mm",
        'D' => "MM/dd/yy",
        _ => null,
    };

    private static Action<DateTime, StringBuilder> Fraction(int digits) => (t, text) =>
        text.Append((t.Ticks % TimeSpan.TicksPerSecond * 100).ToString("000000000", CultureInfo.InvariantCulture).AsSpan(0, digits));

    private static Action<DateTime, StringBuilder>? Epoch(int digits) => digits switch
    {
        0 => static (t, text) => text.Append(Ticks(t) / TimeSpan.TicksPerSecond),
        3 => static (t, text) => text.Append(Ticks(t) / TimeSpan.TicksPerMillisecond),
        6 => static (t, text) => text.Append(Ticks(t) / TimeSpan.TicksPerMicrosecond),
        9 => static (t, text) => text.Append(Ticks(t) * 100),
        _ => null,
    };

    private static long Ticks(DateTime t) => (t - DateTime.UnixEpoch).Ticks;
}
