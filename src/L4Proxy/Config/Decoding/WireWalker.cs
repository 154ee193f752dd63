using System.Text;
using System.Text.Unicode;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Decoding.Tree;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Goes over a message on the wire beside its descriptor and tells what is malformed, unknown or not supported.</summary>
/// <remarks>Recursion follows the nesting of messages, at most <see cref="TreeBuilder.MaxDepth"/> deep.</remarks>
internal sealed class WireWalker(IssueScope scope)
{
    private int _depth;

    /// <summary>False when the bytes are not a message of this type at all, which has been reported.</summary>
    public bool Walk(MessageDescriptor type, ReadOnlyMemory<byte> data, FieldPath path)
    {
        if (_depth >= TreeBuilder.MaxDepth)
        {
            scope.Error(path, $"is nested deeper than {TreeBuilder.MaxDepth} levels");
            return false;
        }
        bool resource = scope.StartsResource(type);
        if (resource)
            scope.EnterResource(type, FirstString(data), path);
        _depth++;
        bool whole = WalkFields(type, data, path);
        _depth--;
        if (resource)
            scope.LeaveResource();
        return whole;
    }

    private static string? FirstString(ReadOnlyMemory<byte> data)
    {
        WireReader reader = new(data);
        string? found = null;
        while (!reader.AtEnd && reader.TryRead(out WireField field))
        {
            if (field is { Number: 1, WireType: WireReader.LengthDelimited })
                found = Encoding.UTF8.GetString(field.Bytes.Span);
        }
        return found;
    }

    private bool WalkFields(MessageDescriptor type, ReadOnlyMemory<byte> data, FieldPath path)
    {
        if (type.File.Package == "google.protobuf" && type.Name != "Any")
            return true; // plain values; what is wrong in them fails the parser
        if (type.Fields.InDeclarationOrder().Count == 0)
            return true; // declared to be recognised; what it holds is not read
        WireReader reader = new(data);
        Dictionary<int, int>? counts = null;
        bool whole = true;
        while (!reader.AtEnd)
        {
            int start = reader.Position;
            if (!reader.TryRead(out WireField wire))
            {
                scope.Error(path, $"breaks off or is malformed at byte {start} of {type.FullName}");
                return false;
            }
            whole &= WalkField(type, wire, ref counts, path);
        }
        return whole;
    }

    /// <param name="type">Of the message.</param>
    /// <param name="wire">The field.</param>
    /// <param name="counts">How often each repeated field was met; made with the first, since most messages have none.</param>
    /// <param name="path">Of the message.</param>
    private bool WalkField(MessageDescriptor type, WireField wire, ref Dictionary<int, int>? counts, FieldPath path)
    {
        FieldDescriptor? field = type.FindFieldByNumber(wire.Number);
        if (field is null)
        {
            scope.Unknown(type, path, $"field number {wire.Number} is no field of {type.FullName}");
            return true;
        }
        if (!Fits(field, wire.WireType))
        {
            scope.Error(path.Field(field.Name), $"has wire type {wire.WireType}, which does not fit {field.FieldType}");
            return true;
        }
        Support support = FieldSupport.Of(field);
        if (support != Support.Supported)
        {
            TreeMessageDecoder.Refuse(scope, support, path.Field(field.Name), 0);
            return true;
        }
        if (!field.IsRepeated || field.IsMap)
            return IsSound(field, wire) || WalkValue(field, wire, path.Field(field.Name));
        counts ??= [];
        int index = counts.GetValueOrDefault(wire.Number);
        counts[wire.Number] = index + 1;
        return IsSound(field, wire) || WalkValue(field, wire, path.Item(field.Name, index));
    }

    // Most fields: nothing is to be told of them, so no place is made for them.
    private static bool IsSound(FieldDescriptor field, WireField wire) => field.FieldType switch
    {
        FieldType.Message or FieldType.Enum => false,
        FieldType.String => Utf8.IsValid(wire.Bytes.Span),
        _ => true,
    };

    private static bool Fits(FieldDescriptor field, int wireType) => field.FieldType switch
    {
        FieldType.String or FieldType.Bytes or FieldType.Message => wireType == WireReader.LengthDelimited,
        FieldType.Double or FieldType.Fixed64 or FieldType.SFixed64 => wireType == WireReader.Fixed64 || IsPacked(field, wireType),
        FieldType.Float or FieldType.Fixed32 or FieldType.SFixed32 => wireType == WireReader.Fixed32 || IsPacked(field, wireType),
        _ => wireType == WireReader.Varint || IsPacked(field, wireType),
    };

    private static bool IsPacked(FieldDescriptor field, int wireType) => field.IsRepeated && wireType == WireReader.LengthDelimited;

    private bool WalkValue(FieldDescriptor field, WireField wire, FieldPath place)
    {
        switch (field.FieldType)
        {
            case FieldType.String when !IsSound(field, wire):
                scope.Error(place, "is not UTF-8 text");
                return true;
            case FieldType.Enum when wire.WireType == WireReader.Varint && field.EnumType.FindValueByNumber((int)wire.Number64) is null:
                scope.Unknown(field.ContainingType, place, $"is {(int)wire.Number64}, which is no value of {field.EnumType.Name}");
                return true;
            case FieldType.Message when field.IsMap:
                return WalkEntry(field.MessageType, wire.Bytes, place);
            case FieldType.Message when field.MessageType.FullName == "google.protobuf.Any":
                return WalkAny(wire.Bytes, place);
            case FieldType.Message:
                return Walk(field.MessageType, wire.Bytes, place);
            default:
                return true;
        }
    }

    private bool WalkEntry(MessageDescriptor entry, ReadOnlyMemory<byte> data, FieldPath map)
    {
        FieldDescriptor value = entry.FindFieldByNumber(2);
        FieldPath place = map.Key(FirstString(data) ?? "");
        WireReader reader = new(data);
        bool whole = true;
        while (!reader.AtEnd)
        {
            if (!reader.TryRead(out WireField wire))
            {
                scope.Error(place, "breaks off or is malformed");
                return false;
            }
            if (wire.Number == 2 && Fits(value, wire.WireType))
                whole &= WalkValue(value, wire, place);
        }
        return whole;
    }

    private bool WalkAny(ReadOnlyMemory<byte> data, FieldPath place)
    {
        Any any;
        try
        {
            any = Any.Parser.ParseFrom(data.Span);
        }
        catch (InvalidProtocolBufferException broken)
        {
            scope.Error(place, $"is not an Any: {broken.Message}");
            return false;
        }
        if (MessageTypes.Find(any.TypeUrl) is not { } type)
            return true;
        // A broken body spoils its resource or extension, not the message around it.
        if (MessageTypes.IsTypedStruct(type))
            TypedStructRewriter.Unwrap(any, scope, place);
        else
            Walk(type, any.Value.Memory, scope.StartsResource(type) ? FieldPath.Root : place);
        return true;
    }
}
