using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Decoding;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Protos;

/// <summary>What the subset has is also used: every message in an extension's package is found by its type URL.</summary>
public sealed class SubsetUseTests
{
    [Fact]
    public void Messages_OfTheSubset_AreFoundByName()
        => OwnProtos.Files.Where(static file => file.Package.StartsWith("envoy.extensions.", StringComparison.Ordinal))
            .Where(static file => !file.Package.Contains(".common.", StringComparison.Ordinal)) // parts of other messages, never in an Any
            .SelectMany(static file => file.MessageTypes)
            .Where(static message => MessageTypes.Find(MessageTypes.Prefix + message.FullName) is null)
            .Select(static (MessageDescriptor message) => message.FullName)
            .ShouldBeEmpty("an Any of these would be taken for a type this build does not know");

    [Fact]
    public void TypesOfResources_AreMessagesOfTheSubset()
        => new[] { TypeUrls.Listener, TypeUrls.Cluster, TypeUrls.Endpoints, TypeUrls.NameTable }
            .ShouldAllBe(static url => MessageTypes.Find(url) != null);
}
