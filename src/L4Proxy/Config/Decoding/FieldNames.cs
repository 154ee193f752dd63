using System.Collections.Concurrent;
using Google.Protobuf.Reflection;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>The fields of a message by both of their spellings, snake_case and camelCase.</summary>
internal static class FieldNames
{
    private static readonly ConcurrentDictionary<MessageDescriptor, Dictionary<string, FieldDescriptor>> ByMessage = new();

    /// <summary>Never changed once made.</summary>
    public static IReadOnlyDictionary<string, FieldDescriptor> Of(MessageDescriptor type) => ByMessage.GetOrAdd(type, Index);

    private static Dictionary<string, FieldDescriptor> Index(MessageDescriptor type)
    {
        Dictionary<string, FieldDescriptor> names = new(StringComparer.Ordinal);
        foreach (FieldDescriptor field in type.Fields.InDeclarationOrder())
        {
            names[field.Name] = field;
            names[field.JsonName] = field;
        }
        return names;
    }
}
