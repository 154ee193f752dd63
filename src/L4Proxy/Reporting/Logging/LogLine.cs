using System.Globalization;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Reporting.Logging;

/// <summary>One line of the process log: <c>[2026-11-21 02:00:00.123][42][info][config] message</c>.</summary>
internal static class LogLine
{
    /// <summary>UTF-16 units of one message; the rest is cut, with a mark.</summary>
    public const int MaxMessage = 16 << 10;

    /// <summary>Makes the line with its newline. Line breaks and controls in the message are escaped: one event is one line.</summary>
    public static string Make(DateTimeOffset time, LogLevel level, string component, string message, bool colour)
    {
        string stamp = time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
        string cut = message.Length > MaxMessage ? string.Concat(message.AsSpan(0, MaxMessage), "...") : message;
        string safe = LogEscape.EscapeControls(cut);
        string name = LogLevels.NameOf(level);
        string shown = colour ? $"{Colour(level)}{name}\u001b[0m" : name;
        return $"[{stamp}][{Environment.ProcessId}][{shown}][{LogEscape.EscapeControls(component)}] {safe}\n";
    }

    private static string Colour(LogLevel level) => level switch
    {
        LogLevel.Critical or LogLevel.Error => "\u001b[31m",
        LogLevel.Warning => "\u001b[33m",
        LogLevel.Information => "\u001b[32m",
        _ => "\u001b[36m",
    };
}
