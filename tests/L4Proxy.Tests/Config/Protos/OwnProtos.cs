using System.Reflection;
using Google.Protobuf.Reflection;

namespace MeshL4.L4Proxy.Tests.Config.Protos;

/// <summary>The descriptors generated from Config/Protos.</summary>
internal static class OwnProtos
{
    /// <summary>Every file.</summary>
    public static IReadOnlyList<FileDescriptor> AllFiles { get; } =
    [
        .. typeof(MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Listener).Assembly.GetTypes()
            .Where(type => type.Name.EndsWith("Reflection", StringComparison.Ordinal))
            .Select(type => type.GetProperty("Descriptor", BindingFlags.Public | BindingFlags.Static)?.GetValue(null))
            .OfType<FileDescriptor>(),
    ];

    /// <summary>Every file whose package is not ours, nor Istio's own, which no package here publishes: <c>NameTableTests</c> holds that one to its bytes.</summary>
    public static IReadOnlyList<FileDescriptor> Files { get; } =
    [
        .. AllFiles.Where(file => !file.Package.StartsWith("meshl4.", StringComparison.Ordinal) && !file.Package.StartsWith("istio.", StringComparison.Ordinal)),
    ];

    /// <summary>Every message of them, nested ones too, map entries not.</summary>
    public static IEnumerable<MessageDescriptor> Messages => Files.SelectMany(file => file.MessageTypes).SelectMany(WithNested);

    /// <summary>Every message of every file.</summary>
    public static IEnumerable<MessageDescriptor> AllMessages => AllFiles.SelectMany(file => file.MessageTypes).SelectMany(WithNested);

    /// <summary>Every enum of them.</summary>
    public static IEnumerable<EnumDescriptor> Enums =>
        Files.SelectMany(file => file.EnumTypes).Concat(Messages.SelectMany(message => message.EnumTypes));

    private static IEnumerable<MessageDescriptor> WithNested(MessageDescriptor message) =>
        message.ToProto().Options?.MapEntry == true ? [] : message.NestedTypes.SelectMany(WithNested).Prepend(message);
}
