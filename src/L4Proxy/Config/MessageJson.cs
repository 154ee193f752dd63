using System.Collections;
using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace MeshL4.L4Proxy.Config;

/// <summary>
/// Writes a message as protobuf's JSON with proto field names. Unlike the library's formatter it does not stop at an extension it
/// does not know: its type URL is shown, and how long it is. What is in it is not, for it may be anything. Keys, passwords and tokens are not shown.
/// </summary>
internal static class MessageJson
{
    /// <summary>The parser refuses messages nested deeper than 100; extensions add their own nesting.</summary>
    private const int Deepest = 300;

    /// <summary>Writes one object; <paramref name="typeUrl"/>, unless null, is its <c>@type</c>.</summary>
    public static void Write(Utf8JsonWriter writer, IMessage message, string? typeUrl) => WriteMessage(writer, message, typeUrl, 0);

    private static void WriteMessage(Utf8JsonWriter writer, IMessage message, string? typeUrl, int depth)
    {
        writer.WriteStartObject();
        if (typeUrl is not null)
        {
            writer.WriteString("@type", typeUrl);
        }

        foreach (FieldDescriptor field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            object? value = field.Accessor.GetValue(message);
            if (depth < Deepest && IsSet(field, message, value))
            {
                value = SensitiveFields.Contains(field) ? Redacted(message, field) : value;
                writer.WritePropertyName(field.Name);
                WriteField(writer, field, value, depth + 1);
            }
        }

        writer.WriteEndObject();
    }

    private static object? Redacted(IMessage message, FieldDescriptor field)
    {
        IMessage copy = message.Descriptor.Parser.ParseFrom(message.ToByteString());
        SensitiveFields.Redact(copy, field);
        return field.Accessor.GetValue(copy);
    }

    private static bool IsSet(FieldDescriptor field, IMessage message, object? value) => value switch
    {
        null => false,
        ICollection collection => collection.Count > 0,
        _ when field.HasPresence => field.Accessor.HasValue(message),
        string text => text.Length > 0,
        ByteString bytes => bytes.Length > 0,
        bool set => set,
        _ => Convert.ToDouble(value, CultureInfo.InvariantCulture) != 0,
    };

    private static void WriteField(Utf8JsonWriter writer, FieldDescriptor field, object? value, int depth)
    {
        if (value is null)
        {
            writer.WriteStringValue(SensitiveFields.Redacted);
        }
        else if (field.IsMap)
        {
            FieldDescriptor item = field.MessageType.FindFieldByNumber(2);
            writer.WriteStartObject();
            foreach (DictionaryEntry entry in (IDictionary)value)
            {
                writer.WritePropertyName(Convert.ToString(entry.Key, CultureInfo.InvariantCulture)!);
                WriteValue(writer, item, entry.Value!, depth);
            }

            writer.WriteEndObject();
        }
        else if (field.IsRepeated)
        {
            writer.WriteStartArray();
            foreach (object item in (IList)value)
            {
                WriteValue(writer, field, item, depth);
            }

            writer.WriteEndArray();
        }
        else
        {
            WriteValue(writer, field, value, depth);
        }
    }

    private static void WriteValue(Utf8JsonWriter writer, FieldDescriptor field, object value, int depth)
    {
        switch (value)
        {
            case Any any:
                WriteAny(writer, any, depth);
                break;
            case Duration or Struct or Value or ListValue or Timestamp:
                writer.WriteRawValue(JsonFormatter.Default.Format((IMessage)value));
                break;
            case IMessage inner:
                WriteMessage(writer, inner, null, depth);
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case ByteString bytes:
                writer.WriteBase64StringValue(bytes.Span);
                break;
            case bool set:
                writer.WriteBooleanValue(set);
                break;
            default:
                WriteNumber(writer, field, value);
                break;
        }
    }

    /// <summary>64-bit numbers are strings in protobuf's JSON; enums are their names, or numbers the API does not know.</summary>
    private static void WriteNumber(Utf8JsonWriter writer, FieldDescriptor field, object value)
    {
        switch (value)
        {
            case float or double:
                double real = Convert.ToDouble(value, CultureInfo.InvariantCulture);
                if (double.IsFinite(real))
                {
                    writer.WriteNumberValue(real);
                }
                else
                {
                    writer.WriteStringValue(real.ToString(CultureInfo.InvariantCulture));
                }

                break;
            case long or ulong:
                writer.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
            case uint number:
                writer.WriteNumberValue(number);
                break;
            default:
                int whole = Convert.ToInt32(value, CultureInfo.InvariantCulture);
                if (field.FieldType == FieldType.Enum && field.EnumType.FindValueByNumber(whole) is { } named)
                {
                    writer.WriteStringValue(named.Name);
                }
                else
                {
                    writer.WriteNumberValue(whole);
                }

                break;
        }
    }

    private static void WriteAny(Utf8JsonWriter writer, Any any, int depth)
    {
        string name = Decoding.TypedConfig.TypeName(any);
        if (Decoding.MessageTypes.Find(name) is { } type)
        {
            try
            {
                IMessage inner = type.Parser.ParseFrom(any.Value);
                if (Decoding.MessageTypes.IsTypedStruct(type))
                {
                    WriteUnknown(writer, any, inner.Descriptor.FindFieldByName("type_url").Accessor.GetValue(inner) as string);
                }
                else
                {
                    WriteMessage(writer, inner, any.TypeUrl, depth);
                }

                return;
            }
            catch (InvalidProtocolBufferException)
            {
                // Told below: the dump must also show what cannot be read.
            }
        }

        WriteUnknown(writer, any, null);
    }

    /// <summary>No list of fields says what of it is a secret.</summary>
    private static void WriteUnknown(Utf8JsonWriter writer, Any any, string? structOf)
    {
        writer.WriteStartObject();
        writer.WriteString("@type", any.TypeUrl);
        if (structOf is not null)
        {
            writer.WriteString("type_url", structOf);
        }

        writer.WriteNumber("meshl4_bytes", any.Value.Length);
        writer.WriteEndObject();
    }
}
