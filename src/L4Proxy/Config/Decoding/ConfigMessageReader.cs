using Google.Protobuf;
using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Decoding.Tree;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Turns configuration text or bytes into a message, and tells everything that is wrong with it at once.</summary>
/// <remarks>
/// Extensions given as <c>TypedStruct</c> arrive as the <c>Any</c> of the type they stand for. An <c>Any</c> of a type this
/// build does not know is left with its type URL (from text: with an empty value) and no issue: the decoder that
/// needs it knows whether it matters.
/// </remarks>
internal static class ConfigMessageReader
{
    /// <summary>Largest configuration read, in bytes.</summary>
    public const int MaxBytes = 64 << 20;

    /// <summary>Reads one message from <paramref name="content"/>; <paramref name="origin"/> names it in the issues.</summary>
    /// <returns>
    /// The message, as complete as it could be read: whoever uses it asks <paramref name="issues"/> first. Null when there
    /// was nothing to build it from.
    /// </returns>
    public static T? Read<T>(ReadOnlyMemory<byte> content, ConfigFormat format, string origin, ConfigSourceKind kind, IssueCollector issues)
        where T : class, IMessage<T>, new()
    {
        IssueScope scope = new(issues, origin, kind);
        if (content.Length > MaxBytes)
        {
            scope.Error(FieldPath.Root, $"is {content.Length} bytes long, more than the limit of {MaxBytes}");
            return null;
        }
        MessageDescriptor descriptor = new T().Descriptor;
        return (T?)(format == ConfigFormat.Binary
            ? ReadBinary(content, descriptor, scope)
            : ReadText(content, format, descriptor, scope));
    }

    /// <summary>Reads bytes that were read before and found good: nothing is checked again.</summary>
    /// <exception cref="InvalidDataException">The type is not known to this build.</exception>
    public static IMessage ReadAgain(string typeUrl, ReadOnlyMemory<byte> content)
    {
        MessageDescriptor descriptor = MessageTypes.Find(typeUrl) ?? throw new InvalidDataException($"'{typeUrl}' is no type of this build");
        return Parse(descriptor, content);
    }

    private static IMessage Parse(MessageDescriptor descriptor, ReadOnlyMemory<byte> content)
    {
        IMessage message = descriptor.Parser.ParseFrom(content.Span);
        if (TypedStructRewriter.MayContain(content.Span))
            TypedStructRewriter.Rewrite(message);
        return message;
    }

    private static IMessage? ReadText(ReadOnlyMemory<byte> content, ConfigFormat format, MessageDescriptor descriptor, IssueScope scope)
    {
        ConfigNode? tree = format == ConfigFormat.Json ? JsonTree.Parse(content, scope) : YamlTree.Parse(content, scope);
        return tree is null ? null : new TreeMessageDecoder(scope).Decode(descriptor, tree, FieldPath.Root);
    }

    private static IMessage? ReadBinary(ReadOnlyMemory<byte> content, MessageDescriptor descriptor, IssueScope scope)
    {
        if (!new WireWalker(scope).Walk(descriptor, content, FieldPath.Root))
            return null;
        try
        {
            return Parse(descriptor, content);
        }
        catch (InvalidProtocolBufferException broken)
        {
            scope.Error(FieldPath.Root, $"is not a {descriptor.FullName}: {broken.Message}");
            return null;
        }
    }
}
