using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Decoding;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// Takes private keys out of resources before they go to disk: the settings of TLS, which may hold keys inline, and of everything
/// this build does not know are emptied; their types stay. Recursion is as deep as the walker let the message in.
/// </summary>
internal static class SecretRemoval
{
    private const string TlsPackage = "envoy.extensions.transport_sockets.tls.v3";

    /// <summary>A copy without them.</summary>
    public static T Copy<T>(T message)
        where T : IMessage
    {
        IMessage copy = message.Descriptor.Parser.ParseFrom(message.ToByteString());
        Remove(copy);
        return (T)copy;
    }

    private static void Remove(IMessage message)
    {
        if (message is Any any)
        {
            RemoveInside(any);
            return;
        }

        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            object? value = field.FieldType == FieldType.Message ? field.Accessor.GetValue(message) : null;
            foreach (IMessage inner in Inside(value))
            {
                Remove(inner);
            }
        }
    }

    private static IEnumerable<IMessage> Inside(object? value) => value switch
    {
        IDictionary map => map.Values.OfType<IMessage>(),
        IList list => list.OfType<IMessage>(),
        IMessage one => [one],
        _ => [],
    };

    private static void RemoveInside(Any any)
    {
        MessageDescriptor? type = MessageTypes.Find(any.TypeUrl);
        if (type is null || type.File.Package == TlsPackage)
        {
            any.Value = ByteString.Empty;
            return;
        }

        IMessage inner = type.Parser.ParseFrom(any.Value);
        Remove(inner);
        any.Value = inner.ToByteString();
    }
}
