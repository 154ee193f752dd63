using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Reading of <c>typed_config</c> members.</summary>
internal static class TypedConfig
{
    /// <summary>The message name behind the last slash of a type URL; empty for null.</summary>
    public static string TypeName(Any? any) => any is null ? "" : any.TypeUrl[(any.TypeUrl.LastIndexOf('/') + 1)..];

    /// <summary>Whether <paramref name="any"/> carries a <typeparamref name="T"/>.</summary>
    public static bool Is<T>(Any? any)
        where T : IMessage<T>, new()
        => any is not null && TypeName(any) == Prototype<T>.FullName;

    /// <summary>The message inside, or null with an error when its bytes are not a <typeparamref name="T"/>.</summary>
    public static T? Unpack<T>(Any any, DecodeScope scope)
        where T : class, IMessage<T>, new()
    {
        try
        {
            var message = new T();
            message.MergeFrom(any.Value);
            return message;
        }
        catch (InvalidProtocolBufferException broken)
        {
            scope.Error($"bytes are not a {Prototype<T>.FullName}: {broken.Message}");
            return null;
        }
    }

    private static class Prototype<T>
        where T : IMessage<T>, new()
    {
        public static readonly string FullName = new T().Descriptor.FullName;
    }
}
