using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Decoding.Tree;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Builds a message from a tree by its descriptor; a value that does not fit is told and left out, and the rest goes on.</summary>
/// <remarks>Recursion follows the tree, whose depth <see cref="TreeBuilder.MaxDepth"/> bounds.</remarks>
internal sealed class TreeMessageDecoder(IssueScope scope)
{
    /// <summary>Returns the message of type <paramref name="type"/>, empty when <paramref name="node"/> is no mapping.</summary>
    public IMessage Decode(MessageDescriptor type, ConfigNode node, FieldPath path)
    {
        IMessage message = type.Parser.ParseFrom(ByteString.Empty);
        if (node is not ConfigMapping mapping)
        {
            scope.Error(path, $"is {node.Description}, expected a mapping with the fields of {type.FullName}", node.Line);
            return message;
        }
        bool resource = scope.StartsResource(type);
        if (resource)
            scope.EnterResource(type, ResourceName(type, mapping), path);
        Fill(message, mapping, path);
        if (resource)
            scope.LeaveResource();
        return message;
    }

    private static string? ResourceName(MessageDescriptor type, ConfigMapping mapping)
    {
        FieldDescriptor field = type.FindFieldByNumber(1);
        ConfigEntry? entry = field is null ? null : mapping.Find(field.Name) ?? mapping.Find(field.JsonName);
        return (entry?.Value as ConfigScalar)?.Text;
    }

    private void Fill(IMessage message, ConfigMapping mapping, FieldPath path)
    {
        MessageDescriptor type = message.Descriptor;
        IReadOnlyDictionary<string, FieldDescriptor> fields = FieldNames.Of(type);
        if (fields.Count == 0)
            return; // declared to be recognised; what it holds is not read
        Dictionary<int, ConfigEntry> set = [];
        Dictionary<OneofDescriptor, FieldDescriptor> chosen = [];
        foreach (ConfigEntry entry in mapping.Entries)
        {
            if (entry.Key == "@type")
                continue;
            if (!fields.TryGetValue(entry.Key, out FieldDescriptor? field))
                scope.Unknown(type, path.Field(entry.Key), $"is no field of {type.FullName}", entry.Line);
            else if (!set.TryAdd(field.FieldNumber, entry))
                scope.Error(path.Field(field.Name), $"is written twice, first on line {set[field.FieldNumber].Line}", entry.Line);
            else if (IsSet(entry.Value) && IsAlone(field, chosen, path, entry.Line) && IsTaken(field, entry, path.Field(field.Name)))
                SetField(message, field, entry.Value, path.Field(field.Name));
        }
    }

    private static bool IsSet(ConfigNode node) => node is not ConfigScalar { Kind: ScalarKind.Null };

    private bool IsAlone(FieldDescriptor field, Dictionary<OneofDescriptor, FieldDescriptor> chosen, FieldPath path, int line)
    {
        if (field.RealContainingOneof is not { } oneof || chosen.TryAdd(oneof, field))
            return true;
        scope.Error(path.Field(field.Name), $"cannot be set beside {chosen[oneof].Name}", line);
        return false;
    }

    private bool IsTaken(FieldDescriptor field, ConfigEntry entry, FieldPath path)
    {
        Support support = FieldSupport.Of(field);
        if (support == Support.Supported)
            return true;
        if (!IsInert(field, entry.Value))
            Refuse(scope, support, path, entry.Line);
        return false;
    }

    /// <summary>Tells that a field is known and not acted on.</summary>
    internal static void Refuse(IssueScope scope, Support support, FieldPath path, int line)
    {
        if (support == Support.Harmless)
            scope.Warning(path, "is not used by this proxy", line);
        else
            scope.Error(path, "is not supported by this proxy", line);
    }

    /// <summary>An explicit default says nothing: an empty list, or the zero of a field that cannot tell unset from zero.</summary>
    private static bool IsInert(FieldDescriptor field, ConfigNode node) => node switch
    {
        ConfigSequence list => field.IsRepeated && list.Items.Count == 0,
        ConfigMapping mapping => field.IsMap && mapping.Entries.Count == 0,
        ConfigScalar scalar => !field.HasPresence && IsZero(field, scalar.Text),
        _ => false,
    };

    private static bool IsZero(FieldDescriptor field, string text) => field.FieldType switch
    {
        FieldType.Bool => text is "false" or "False" or "FALSE",
        FieldType.String or FieldType.Bytes => text.Length == 0,
        FieldType.Enum => text == field.EnumType.FindValueByNumber(0)?.Name || text == "0",
        _ => ScalarText.TryDouble(text, out double number) && number == 0,
    };

    private void SetField(IMessage message, FieldDescriptor field, ConfigNode node, FieldPath path)
    {
        if (field.IsMap)
            FillMap((IDictionary)field.Accessor.GetValue(message), field, node, path);
        else if (field.IsRepeated)
            FillList((IList)field.Accessor.GetValue(message), field, node, path);
        else if (Value(field, node, path) is { } value)
            field.Accessor.SetValue(message, value);
    }

    private void FillList(IList target, FieldDescriptor field, ConfigNode node, FieldPath path)
    {
        if (node is ConfigMapping { Entries.Count: > 0 } && field.FieldType == FieldType.Message)
        {
            // protobuf's own reader takes it, so configurations that run have it.
            scope.Warning(path, "is a mapping where a list belongs: taken for a list of one", node.Line);
            var alone = new ConfigSequence(node.Line);
            alone.Add(node);
            node = alone;
        }
        if (node is not ConfigSequence list)
        {
            scope.Error(path, $"is {node.Description}, expected a list", node.Line);
            return;
        }
        for (int i = 0; i < list.Items.Count; i++)
        {
            if (!IsSet(list.Items[i]))
                scope.Error(path.Index(i), "is null, which a list cannot hold", list.Items[i].Line);
            else if (Value(field, list.Items[i], path.Index(i)) is { } value)
                target.Add(value);
        }
    }

    private void FillMap(IDictionary target, FieldDescriptor field, ConfigNode node, FieldPath path)
    {
        FieldDescriptor key = field.MessageType.FindFieldByNumber(1), item = field.MessageType.FindFieldByNumber(2);
        if (node is not ConfigMapping mapping)
        {
            scope.Error(path, $"is {node.Description}, expected a mapping", node.Line);
            return;
        }
        foreach (ConfigEntry entry in mapping.Entries)
        {
            FieldPath place = path.Key(entry.Key);
            object? name = ScalarDecoder.Decode(key, new(entry.Key, ScalarKind.String, entry.Line), place, scope);
            if (name is not null && Value(item, entry.Value, place) is { } value)
                target[name] = value;
        }
    }

    private object? Value(FieldDescriptor field, ConfigNode node, FieldPath path)
    {
        if (field.FieldType == FieldType.Message)
            return WellKnownDecoder.Handles(field.MessageType)
                ? new WellKnownDecoder(scope, this).Decode(field.MessageType, node, path)
                : Decode(field.MessageType, node, path);
        if (node is ConfigScalar scalar)
            return ScalarDecoder.Decode(field, scalar, path, scope);
        scope.Error(path, $"is {node.Description}, expected {ScalarDecoder.Expected(field)}", node.Line);
        return null;
    }
}
