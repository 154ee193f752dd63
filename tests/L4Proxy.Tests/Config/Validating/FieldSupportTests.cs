using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Validating;

public sealed class FieldSupportTests
{
    [Fact]
    public void Entries_OfTheTable_AreFieldsOfTheSubset() => FieldSupport.Entries.Where(entry => !Exists(entry)).ShouldBeEmpty();

    [Theory]
    [InlineData("name", (int)Support.Supported)]
    [InlineData("cleanup_interval", (int)Support.Harmless)]
    [InlineData("dns_resolvers", (int)Support.Unsupported)]
    public void Of_FieldsOfACluster_AreWhatTheTableSays(string field, int expected) =>
        ((int)FieldSupport.Of(Cluster.Descriptor.FindFieldByName(field))).ShouldBe(expected);

    private static bool Exists(string entry)
    {
        int dot = entry.LastIndexOf('.');
        (string name, string field) = (entry[..dot], entry[(dot + 1)..]);
        MessageDescriptor? message = Protos.OwnProtos.Messages.SingleOrDefault(message => message.FullName == name) ?? MessageTypes.Find(name) ?? Nested(name);
        return message is not null && (field == "*" || message.FindFieldByName(field) is not null);
    }

    /// <summary>A message inside one of our own.</summary>
    private static MessageDescriptor? Nested(string name) =>
        MessageTypes.Find(name[..name.LastIndexOf('.')])?.NestedTypes.FirstOrDefault(message => message.FullName == name);
}
