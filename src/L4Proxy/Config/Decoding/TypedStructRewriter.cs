using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Decoding.Tree;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Replaces, in a parsed message, every TypedStruct by the Any of the type it stands for, so that decoders meet one form.</summary>
/// <remarks>The issues of the replaced values have been told by <see cref="WireWalker"/>, which also bounded the depth.</remarks>
internal static class TypedStructRewriter
{
    /// <summary>A cheap look that spares the walk for nearly every message.</summary>
    public static bool MayContain(ReadOnlySpan<byte> message) => message.IndexOf("type.v1.TypedStruct"u8) >= 0 || message.IndexOf("type.v3.TypedStruct"u8) >= 0;

    /// <summary>Rewrites in place; true when something changed.</summary>
    public static bool Rewrite(IMessage message)
    {
        if (message is Any any)
            return RewriteAny(any);
        bool changed = false;
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            if (field.FieldType == FieldType.Message && field.MessageType.File.Package != "google.protobuf" || IsAny(field))
                changed |= RewriteField(field.Accessor.GetValue(message));
        }
        return changed;
    }

    /// <summary>The Any that a packed TypedStruct stands for, its issues told to <paramref name="scope"/>; null when it is broken.</summary>
    public static Any? Unwrap(Any packed, IssueScope scope, FieldPath path)
    {
        try
        {
            Protos.Xds.Type.V3.TypedStruct source = Protos.Xds.Type.V3.TypedStruct.Parser.ParseFrom(packed.Value);
            ConfigMapping tree = new(0);
            tree.Add("type_url", new ConfigScalar(source.TypeUrl, ScalarKind.String, 0), 0);
            tree.Add("value", StructTree.FromStruct(source.Value ?? new Struct()), 0);
            return new WellKnownDecoder(scope, new TreeMessageDecoder(scope)).Unwrap(tree, path);
        }
        catch (InvalidProtocolBufferException broken)
        {
            scope.Error(path, $"is not a TypedStruct: {broken.Message}");
            return null;
        }
    }

    private static bool IsAny(FieldDescriptor field) =>
        field.FieldType == FieldType.Message && field.MessageType.FullName == "google.protobuf.Any";

    private static bool RewriteField(object? value)
    {
        bool changed = false;
        switch (value)
        {
            case IMessage message:
                return Rewrite(message);
            case IDictionary map:
                foreach (object? item in map.Values)
                    changed |= item is IMessage inner && Rewrite(inner);
                break;
            case IList list:
                foreach (object? item in list)
                    changed |= item is IMessage inner && Rewrite(inner);
                break;
        }
        return changed;
    }

    private static bool RewriteAny(Any any)
    {
        if (MessageTypes.Find(any.TypeUrl) is not { } type)
            return false;
        if (MessageTypes.IsTypedStruct(type))
        {
            IssueScope told = new(new IssueCollector(), "", ConfigSourceKind.Xds);
            if (Unwrap(any, told, FieldPath.Root) is { } unwrapped)
                any.MergeFrom(unwrapped.TypeUrl, unwrapped.Value);
            return true;
        }
        if (!MayContain(any.Value.Span))
            return false;
        try
        {
            IMessage inner = type.Parser.ParseFrom(any.Value);
            bool changed = Rewrite(inner);
            if (changed)
                any.Value = inner.ToByteString();
            return changed;
        }
        catch (InvalidProtocolBufferException)
        {
            return false; // told by the walker
        }
    }

    private static void MergeFrom(this Any target, string typeUrl, ByteString value) => (target.TypeUrl, target.Value) = (typeUrl, value);
}
