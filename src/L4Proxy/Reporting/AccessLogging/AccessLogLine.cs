using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>Makes the line of one access log: text, JSON of strings, or typed JSON.</summary>
internal sealed class AccessLogLine
{
    /// <summary>Escapes quotes, backslashes and controls, and leaves other languages readable: this is not HTML.</summary>
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly AccessLogFormat? _text;
    private readonly KeyValuePair<JsonEncodedText, AccessLogFormat>[] _fields;
    private readonly bool _typed;

    private AccessLogLine(AccessLogFormat? text, KeyValuePair<JsonEncodedText, AccessLogFormat>[] fields, bool typed)
    {
        _text = text;
        _fields = fields;
        _typed = typed;
    }

    /// <summary>Compiles every format of the log. A JSON field's error starts with the field's name.</summary>
    public static bool TryCompile(AccessLogSnapshot log, out AccessLogLine? line, out string error)
    {
        line = null;
        if (log.JsonFields is null)
        {
            if (AccessLogFormat.TryCompile(log.Text ?? AccessLogFormat.IstioDefault, out AccessLogFormat? text, out error))
            {
                line = new AccessLogLine(text, [], log.TypedJson);
            }

            return line is not null;
        }

        List<KeyValuePair<JsonEncodedText, AccessLogFormat>> fields = [];
        foreach ((string name, string source) in log.JsonFields)
        {
            if (!AccessLogFormat.TryCompile(source, out AccessLogFormat? format, out error))
            {
                error = $"{LogEscape.Escape(name)}: {error}";
                return false;
            }

            fields.Add(new(JsonEncodedText.Encode(name, JsonOptions.Encoder), format!));
        }

        error = "";
        line = new AccessLogLine(null, [.. fields], log.TypedJson);
        return true;
    }

    /// <summary>Appends one line. JSON lines end with a newline; a text line ends as its format says, as in Envoy.</summary>
    public void Write(ConnectionRecord record, IBufferWriter<byte> output)
    {
        if (_text is not null)
        {
            _text.Write(record, output);
            return;
        }

        using (Utf8JsonWriter json = new(output, JsonOptions))
        {
            json.WriteStartObject();
            foreach ((JsonEncodedText name, AccessLogFormat format) in _fields)
            {
                json.WritePropertyName(name);
                WriteValue(json, record, format);
            }

            json.WriteEndObject();
        }

        output.Write("\n"u8);
    }

    private void WriteValue(Utf8JsonWriter json, ConnectionRecord record, AccessLogFormat format)
    {
        if (!_typed || format.Sole is not { } sole)
        {
            WriteText(json, format.Render(record));
            return;
        }

        LogValue value = sole.Value(record);
        if (value.IsNumber)
        {
            json.WriteNumberValue(value.Number);
        }
        else if (value.Text is { } text)
        {
            WriteText(json, text);
        }
        else
        {
            json.WriteNullValue();
        }
    }

    /// <summary>
    /// Plain text goes through the readable encoder. Anything else takes the strict one, which leaves no control, no line
    /// separator and no bidirectional mark of any script unescaped; unpaired surrogates become U+FFFD.
    /// </summary>
    private static void WriteText(Utf8JsonWriter json, string text)
    {
        if (Ascii.IsValid(text))
        {
            json.WriteStringValue(text);
            return;
        }

        byte[] wellFormed = Encoding.UTF8.GetBytes(text);
        json.WriteStringValue(JsonEncodedText.Encode(wellFormed, JavaScriptEncoder.Default));
    }
}
