namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>What one command operator yields for one connection: nothing, a number or text.</summary>
internal readonly record struct LogValue
{
    private LogValue(string? text, long number, bool isNumber)
    {
        Text = text;
        Number = number;
        IsNumber = isNumber;
    }

    /// <summary><c>-</c> in text, null in typed JSON.</summary>
    public static LogValue Unset => default;

    /// <summary>Null for a number and for the unset value. Not escaped yet.</summary>
    public string? Text { get; }

    public long Number { get; }

    public bool IsNumber { get; }

    public bool IsUnset => Text is null && !IsNumber;

    public static LogValue Of(long number) => new(null, number, true);

    /// <summary>An empty text counts as unset, as in Envoy.</summary>
    public static LogValue Of(string? text) => string.IsNullOrEmpty(text) ? default : new LogValue(text, 0, false);
}

/// <summary>A compiled command operator.</summary>
internal delegate LogValue LogOperator(ConnectionRecord record);
