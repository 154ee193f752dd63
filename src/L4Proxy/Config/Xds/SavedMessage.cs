using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Decoding;
using FilterChain = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.FilterChain;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// A resource as it goes to disk: without what <see cref="SensitiveFields"/> names, and without what this build cannot act on, which may
/// hold anything. What cannot work without its secret must not work in another way: a filter chain loses its filters and so closes
/// what it matches; any other resource is not saved. Recursion is as deep as the walker let the message in.
/// </summary>
internal sealed class SavedMessage
{
    private const string TlsPackage = "envoy.extensions.transport_sockets.tls.v3";
    private readonly List<string> _lacking = [];

    private SavedMessage(IMessage message)
    {
        Message = KnownMessage.Of(message);
        IsUsable = !Remove(Message, FieldPath.Root);
    }

    public IMessage Message { get; }

    /// <summary>False when it must not be restored: it needs what it lacks.</summary>
    public bool IsUsable { get; }

    /// <summary>What was left out of it, by field path, with what follows from that.</summary>
    public IReadOnlyList<string> Lacking => _lacking;

    /// <summary>Makes a copy for the disk; <paramref name="message"/> stays as it is.</summary>
    public static SavedMessage Of(IMessage message) => new(message);

    /// <summary>True when the message lost a secret and something around it has to fail for that.</summary>
    private bool Remove(IMessage message, FieldPath path)
    {
        if (message is Any any)
        {
            return RemoveInside(any, path);
        }

        bool needs = false;
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            if (SensitiveFields.Contains(field))
            {
                needs |= SensitiveFields.Remove(message, field) && Lacks(path.Field(field.Name));
            }
            else if (field.FieldType == FieldType.Message)
            {
                foreach ((IMessage inner, FieldPath at) in Inside(field.Accessor.GetValue(message), path.Field(field.Name)))
                {
                    needs |= Remove(inner, at);
                }
            }
        }

        if (needs && message is FilterChain chain)
        {
            chain.Filters.Clear();
            _lacking.Add($"{path} has no filters without it, and closes its connections");
            return false;
        }

        return needs;
    }

    private bool Lacks(FieldPath path)
    {
        _lacking.Add($"{path} is a secret and was not saved");
        return true;
    }

    private static IEnumerable<(IMessage Message, FieldPath At)> Inside(object? value, FieldPath path)
    {
        switch (value)
        {
            case IDictionary map:
                foreach (DictionaryEntry entry in map)
                {
                    if (entry.Value is IMessage inner)
                    {
                        yield return (inner, path.Key(entry.Key.ToString() ?? ""));
                    }
                }

                break;
            case IList list:
                for (int i = 0; i < list.Count; i++)
                {
                    if (list[i] is IMessage inner)
                    {
                        yield return (inner, path.Index(i));
                    }
                }

                break;
            case IMessage one:
                yield return (one, path);
                break;
        }
    }

    private bool RemoveInside(Any any, FieldPath path)
    {
        // What cannot be read is not there any more.
        if (MessageTypes.Find(any.TypeUrl) is not { } type || MessageTypes.IsTypedStruct(type))
        {
            return false;
        }

        IMessage inner = type.Parser.ParseFrom(any.Value);
        bool needs = Remove(inner, path);
        any.Value = inner.ToByteString();

        // TLS is not spoken by this build: what asks for it refuses, with its keys or without.
        return needs && type.File.Package != TlsPackage;
    }
}
