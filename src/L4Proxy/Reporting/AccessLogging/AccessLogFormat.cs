using System.Buffers;
using System.Globalization;
using System.Text;

namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>A compiled text format: literals and command operators. Immutable; any thread may write with it.</summary>
internal sealed class AccessLogFormat
{
    /// <summary>Istio's default line, for HTTP and TCP alike.</summary>
    public const string IstioDefault =
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
        + "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% "
        + "%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" "
        + "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% "
        + "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

    /// <summary>Envoy's own default line.</summary>
    public const string EnvoyDefault =
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
        + "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
        + "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

    private readonly AccessLogPart[] _parts;

    private AccessLogFormat(AccessLogPart[] parts) => _parts = parts;

    /// <summary>The operator when the format is nothing but one: typed JSON keeps its number or null then.</summary>
    public AccessLogPart? Sole => _parts is [{ Operator: not null } only] ? only : null;

    /// <summary>Compiles a format. On failure <paramref name="error"/> names the operator and its position, counted from 0.</summary>
    public static bool TryCompile(string text, out AccessLogFormat? format, out string error)
    {
        bool good = AccessLogFormatParser.TryParse(text, out List<AccessLogPart> parts, out error);
        format = good ? new AccessLogFormat([.. parts]) : null;
        return good;
    }

    /// <summary>Appends the line as UTF-8, values escaped, unset ones as <c>-</c>. Writes no newline of its own.</summary>
    public void Write(ConnectionRecord record, IBufferWriter<byte> output)
    {
        foreach (AccessLogPart part in _parts)
        {
            Encoding.UTF8.GetBytes(part.Operator is null ? part.Literal : LogEscape.Escape(part.Render(record)), output);
        }
    }

    /// <summary>The text without escaping: for a JSON writer, which escapes by itself.</summary>
    public string Render(ConnectionRecord record)
    {
        StringBuilder text = new();
        foreach (AccessLogPart part in _parts)
        {
            text.Append(part.Operator is null ? part.Literal : part.Render(record));
        }

        return text.ToString();
    }
}

/// <summary>One piece of a format: a literal, or an operator with an optional cap on the length of its text.</summary>
/// <param name="Literal">Text when <paramref name="Operator"/> is null.</param>
/// <param name="Operator">Null for a literal.</param>
/// <param name="MaxLength">UTF-16 units kept of the value before escaping; null keeps all.</param>
internal sealed record AccessLogPart(string Literal, LogOperator? Operator = null, int? MaxLength = null)
{
    /// <summary>The operator's value with the length cap applied.</summary>
    public LogValue Value(ConnectionRecord record)
    {
        LogValue value = Operator!(record);
        return MaxLength is { } max && value.Text is { } text && text.Length > max ? LogValue.Of(text[..max]) : value;
    }

    /// <summary>The value as text, <c>-</c> when unset.</summary>
    public string Render(ConnectionRecord record)
    {
        LogValue value = Value(record);
        return value.IsNumber ? value.Number.ToString(CultureInfo.InvariantCulture) : value.Text ?? "-";
    }
}
