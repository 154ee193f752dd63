using Google.Protobuf;
using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Decoding.Tree;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Scalars by protobuf's JSON rules: numbers may be quoted, strings and booleans may not be anything else.</summary>
internal static class ScalarDecoder
{
    /// <summary>The value as the field's accessor takes it; null after reporting why it is none.</summary>
    public static object? Decode(FieldDescriptor field, ConfigScalar scalar, FieldPath path, IssueScope scope)
    {
        object? value = field.FieldType switch
        {
            FieldType.String => scalar.Kind == ScalarKind.String ? scalar.Text : null,
            FieldType.Bytes => scalar.Kind == ScalarKind.String ? Bytes(scalar.Text) : null,
            FieldType.Bool => Bool(scalar),
            FieldType.Enum => Enum(field.EnumType, scalar, path, scope),
            _ => Number(field.FieldType, scalar),
        };
        if (value is null && field.FieldType != FieldType.Enum)
            scope.Error(path, $"is {Shown(scalar)}, expected {Expected(field)}{Hint(field, scalar)}", scalar.Line);
        return value;
    }

    /// <summary>What a field takes, for messages.</summary>
    public static string Expected(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.String => "a string",
        FieldType.Bytes => "bytes in base64",
        FieldType.Bool => "true or false",
        FieldType.Enum => $"a value of {field.EnumType.Name}",
        FieldType.Double or FieldType.Float => "a number",
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => $"a whole number from {int.MinValue} to {int.MaxValue}",
        FieldType.UInt32 or FieldType.Fixed32 => $"a whole number from 0 to {uint.MaxValue}",
        FieldType.UInt64 or FieldType.Fixed64 => $"a whole number from 0 to {ulong.MaxValue}",
        _ => $"a whole number from {long.MinValue} to {long.MaxValue}",
    };

    /// <summary>The text cut to what a message can bear.</summary>
    public static string Shown(ConfigScalar scalar)
    {
        string text = scalar.Text.Length <= 40 ? scalar.Text : scalar.Text[..40] + "...";
        return scalar.Kind == ScalarKind.String ? $"\"{text}\"" : text;
    }

    private static string Hint(FieldDescriptor field, ConfigScalar scalar) =>
        field.FieldType == FieldType.String && scalar.Kind is ScalarKind.Number or ScalarKind.Bool ? "; put it in quotes" : "";

    private static object? Bool(ConfigScalar scalar) => scalar.Kind == ScalarKind.Bool ? scalar.Text[0] is 't' or 'T' : null;

    private static object? Number(FieldType type, ConfigScalar scalar)
    {
        string text = scalar.Text;
        if (scalar.Kind is not (ScalarKind.Number or ScalarKind.String))
            return null;
        return type switch
        {
            FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => ScalarText.TryInteger(text, out int number) ? number : null,
            FieldType.UInt32 or FieldType.Fixed32 => ScalarText.TryInteger(text, out uint number) ? number : null,
            FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => ScalarText.TryInteger(text, out long number) ? number : null,
            FieldType.UInt64 or FieldType.Fixed64 => ScalarText.TryInteger(text, out ulong number) ? number : null,
            FieldType.Float => ScalarText.TryDouble(text, out double number) ? (float)number : null,
            FieldType.Double => ScalarText.TryDouble(text, out double number) ? number : null,
            _ => null,
        };
    }

    private static object? Enum(EnumDescriptor type, ConfigScalar scalar, FieldPath path, IssueScope scope)
    {
        EnumValueDescriptor? value = scalar.Kind switch
        {
            ScalarKind.String => type.FindValueByName(scalar.Text) ?? AnyCase(type, scalar.Text),
            ScalarKind.Number when ScalarText.TryInteger(scalar.Text, out int number) => type.FindValueByNumber(number),
            _ => null,
        };
        if (value is null)
            scope.Error(path, $"is {Shown(scalar)}, expected one of {string.Join(", ", type.Values.Select(known => known.Name))}", scalar.Line);
        return value?.Number;
    }

    /// <summary>Envoy reads names of enum values in either case, and its own examples have them so (<c>lb_policy: round_robin</c>).</summary>
    private static EnumValueDescriptor? AnyCase(EnumDescriptor type, string text)
        => type.Values.FirstOrDefault(known => known.Name.Equals(text, StringComparison.OrdinalIgnoreCase));

    private static ByteString? Bytes(string text)
    {
        string standard = text.Replace('-', '+').Replace('_', '/').TrimEnd('=');
        byte[] target = new byte[(standard.Length * 3 / 4) + 3];
        string padded = standard.PadRight((standard.Length + 3) / 4 * 4, '=');
        return Convert.TryFromBase64String(padded, target, out int written) ? ByteString.CopyFrom(target, 0, written) : null;
    }
}
