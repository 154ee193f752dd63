using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Decoding.Tree;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>The google.protobuf messages that text writes in a form of their own, <c>Any</c> among them.</summary>
internal sealed class WellKnownDecoder(IssueScope scope, TreeMessageDecoder messages)
{
    /// <summary>True for the types <see cref="Decode"/> takes.</summary>
    public static bool Handles(MessageDescriptor type) => type.File.Package == "google.protobuf";

    /// <summary>The value as an accessor takes it: a message, or for wrappers the plain value. Null after reporting.</summary>
    public object? Decode(MessageDescriptor type, ConfigNode node, FieldPath path)
    {
        switch (type.Name)
        {
            case "Any":
                return Any(node, path);
            case "Duration":
                return Duration(node, path);
            case "Timestamp":
                return Timestamp(node, path);
            case "Struct":
                return node is ConfigMapping mapping ? StructTree.ToStruct(mapping) : Refuse(node, "a mapping", path);
            case "Value":
                return StructTree.ToValue(node);
            case "ListValue":
                return node is ConfigSequence ? StructTree.ToValue(node).ListValue : Refuse(node, "a list", path);
        }
        if (!type.Name.EndsWith("Value", StringComparison.Ordinal))
            return messages.Decode(type, node, path);
        FieldDescriptor wrapped = type.FindFieldByNumber(1);
        return node is ConfigScalar scalar
            ? ScalarDecoder.Decode(wrapped, scalar, path, scope)
            : Refuse(node, ScalarDecoder.Expected(wrapped), path);
    }

    private object? Refuse(ConfigNode node, string expected, FieldPath path)
    {
        string found = node is ConfigScalar scalar ? ScalarDecoder.Shown(scalar) : node.Description;
        scope.Error(path, $"is {found}, expected {expected}", node.Line);
        return null;
    }

    private object? Duration(ConfigNode node, FieldPath path) =>
        node is ConfigScalar { Kind: ScalarKind.String } text && ScalarText.TryDuration(text.Text, out long seconds, out int nanos)
            ? new Duration { Seconds = seconds, Nanos = nanos }
            : Refuse(node, "a duration in seconds such as 5s or 0.25s", path);

    private object? Timestamp(ConfigNode node, FieldPath path) =>
        node is ConfigScalar { Kind: ScalarKind.String } text
            && DateTimeOffset.TryParse(text.Text, System.Globalization.CultureInfo.InvariantCulture, out DateTimeOffset time)
            ? time.ToTimestamp()
            : Refuse(node, "a time such as 2026-01-31T12:00:00Z", path);

    private Any? Any(ConfigNode node, FieldPath path)
    {
        if (node is not ConfigMapping mapping)
            return (Any?)Refuse(node, "a mapping with @type", path);
        if (mapping.Find("@type")?.Value is not ConfigScalar { Kind: ScalarKind.String } url)
        {
            scope.Error(path, "has no @type", node.Line);
            return null;
        }
        if (MessageTypes.Find(url.Text) is not { } type)
            return new Any { TypeUrl = url.Text };
        return MessageTypes.IsTypedStruct(type) ? Unwrap(mapping, path) : Pack(type, mapping, path);
    }

    /// <summary>The <c>Any</c> a TypedStruct stands for; shared with the binary path, which has its Struct as a tree.</summary>
    public Any? Unwrap(ConfigMapping typedStruct, FieldPath path)
    {
        foreach (ConfigEntry entry in typedStruct.Entries)
        {
            if (entry.Key is not ("@type" or "type_url" or "typeUrl" or "value"))
                scope.Unknown(Protos.Xds.Type.V3.TypedStruct.Descriptor, path.Field(entry.Key), "is no field of a TypedStruct", entry.Line);
        }
        if ((typedStruct.Find("type_url") ?? typedStruct.Find("typeUrl"))?.Value is not ConfigScalar { Kind: ScalarKind.String } url)
        {
            scope.Error(path.Field("type_url"), "is missing or no string", typedStruct.Line);
            return null;
        }
        ConfigNode value = typedStruct.Find("value")?.Value ?? new ConfigMapping(typedStruct.Line);
        if (MessageTypes.Find(url.Text) is not { } type)
            return new Any { TypeUrl = url.Text };
        if (value is ConfigMapping inner && MessageTypes.IsTypedStruct(type))
            return Unwrap(inner, path.Field("value"));
        return Pack(type, value, path.Field("value"));
    }

    private Any Pack(MessageDescriptor type, ConfigNode node, FieldPath path)
    {
        // A resource is named by itself, not by its place in the response that carried it.
        FieldPath place = scope.StartsResource(type) ? FieldPath.Root : path;
        if (!Handles(type))
            return Packed(messages.Decode(type, node, place));
        ConfigNode value = (node as ConfigMapping)?.Find("value")?.Value ?? new ConfigMapping(node.Line);
        object? plain = Decode(type, value, path.Field("value"));
        IMessage message = plain as IMessage ?? type.Parser.ParseFrom(ByteString.Empty);
        if (plain is not null and not IMessage)
            type.FindFieldByNumber(1).Accessor.SetValue(message, plain);
        return Packed(message);
    }

    private static Any Packed(IMessage message) => Google.Protobuf.WellKnownTypes.Any.Pack(message);
}
