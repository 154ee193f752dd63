using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace MeshL4.L4Proxy.Config.Decoding.Tree;

/// <summary>A <c>google.protobuf.Struct</c> and a tree, each as the other. Depth is bounded by protobuf's parser and by the tree's own limit.</summary>
internal static class StructTree
{
    public static ConfigMapping FromStruct(Struct source)
    {
        ConfigMapping mapping = new(0);
        foreach ((string key, Value value) in source.Fields)
            mapping.Add(key, FromValue(value), 0);
        return mapping;
    }

    public static Struct ToStruct(ConfigMapping mapping)
    {
        Struct target = new();
        foreach (ConfigEntry entry in mapping.Entries)
            target.Fields[entry.Key] = ToValue(entry.Value);
        return target;
    }

    public static Value ToValue(ConfigNode node) => node switch
    {
        ConfigMapping mapping => Value.ForStruct(ToStruct(mapping)),
        ConfigSequence list => Value.ForList([.. list.Items.Select(ToValue)]),
        ConfigScalar { Kind: ScalarKind.Null } => Value.ForNull(),
        ConfigScalar { Kind: ScalarKind.Bool } scalar => Value.ForBool(scalar.Text[0] is 't' or 'T'),
        ConfigScalar { Kind: ScalarKind.Number } scalar when ScalarText.TryDouble(scalar.Text, out double number) => Value.ForNumber(number),
        _ => Value.ForString(((ConfigScalar)node).Text),
    };

    private static ConfigNode FromValue(Value value)
    {
        switch (value.KindCase)
        {
            case Value.KindOneofCase.StructValue:
                return FromStruct(value.StructValue);
            case Value.KindOneofCase.ListValue:
                ConfigSequence list = new(0);
                foreach (Value item in value.ListValue.Values)
                    list.Add(FromValue(item));
                return list;
            case Value.KindOneofCase.BoolValue:
                return new ConfigScalar(value.BoolValue ? "true" : "false", ScalarKind.Bool, 0);
            case Value.KindOneofCase.NumberValue:
                return new ConfigScalar(value.NumberValue.ToString("R", CultureInfo.InvariantCulture), ScalarKind.Number, 0);
            case Value.KindOneofCase.StringValue:
                return new ConfigScalar(value.StringValue, ScalarKind.String, 0);
            default:
                return new ConfigScalar("null", ScalarKind.Null, 0);
        }
    }
}
