using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Decoding;

public sealed class WireWalkerTests
{
    [Fact]
    public void Read_GoodBytes_GivesTheMessageUnchanged()
    {
        Cluster cluster = new() { Name = "c", ConnectTimeout = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)), Type = Cluster.Types.DiscoveryType.Eds };
        (Cluster? read, IssueCollector issues) = Reading.Binary<Cluster>(cluster.ToByteArray());

        issues.Issues.ShouldBeEmpty();
        read.ShouldBe(cluster);
    }

    [Fact]
    public void Read_EveryKindOfIssue_IsToldAtOnce()
    {
        Cluster cluster = new()
        {
            Name = "c",
            LbPolicy = (Cluster.Types.LbPolicy)99,
            UseTcpForDnsLookups = true,
            AltStatName = "a",
            CircuitBreakers = new() { Thresholds = { new CircuitBreakers.Types.Thresholds() }, PerHostThresholds = { new CircuitBreakers.Types.Thresholds() } },
        };
        byte[] bytes = [.. new DiscoveryResponse { Resources = { Any.Pack(cluster) } }.ToByteArray(), 0xf8, 0x7f, 1];
        (_, IssueCollector issues) = Reading.Binary<DiscoveryResponse>(bytes, ConfigSourceKind.Xds);

        issues.Issues.OrderBy(issue => issue.Path, StringComparer.Ordinal).Select(issue => (issue.Severity, issue.Resource, issue.Path)).ShouldBe(
        [
            (IssueSeverity.Warning, null, ""),
            (IssueSeverity.Warning, "Cluster/c", "alt_stat_name"),
            (IssueSeverity.Error, "Cluster/c", "circuit_breakers.per_host_thresholds"),
            (IssueSeverity.Warning, "Cluster/c", "lb_policy"),
            (IssueSeverity.Error, "Cluster/c", "use_tcp_for_dns_lookups"),
        ]);
    }

    /// <summary>A newer control plane may know more of Envoy's API than this build, but nobody knows more of the proxy's own.</summary>
    [Fact]
    public void Read_WhatAMessageOfTheProxysOwnDoesNotHave_IsAnErrorOverXdsToo()
    {
        byte[] bytes = [.. new XRpcProxy { OnUnknown = (XRpcProxy.Types.OnUnknown)9 }.ToByteArray(), 0xf8, 0x7f, 1];
        (_, IssueCollector issues) = Reading.Binary<XRpcProxy>(bytes, ConfigSourceKind.Xds);

        issues.Issues.Select(issue => (issue.Severity, issue.Path)).ShouldBe([(IssueSeverity.Error, "on_unknown"), (IssueSeverity.Error, "")]);
    }

    [Fact]
    public void Read_EveryTruncation_IsAnErrorOrAShorterMessage()
    {
        Cluster cluster = new() { Name = "cluster", Metadata = new Metadata { FilterMetadata = { ["a"] = new Struct() } } };
        byte[] bytes = cluster.ToByteArray();
        for (int length = 0; length < bytes.Length; length++)
        {
            (Cluster? read, IssueCollector issues) = Reading.Binary<Cluster>(bytes[..length]);
            (read is null).ShouldBe(issues.HasErrors);
        }
    }

    [Fact]
    public void Read_RandomBytes_NeverThrows()
    {
        Random random = new(7);
        byte[] bytes = new byte[200];
        for (int round = 0; round < 5000; round++)
        {
            random.NextBytes(bytes);
            (DiscoveryResponse? read, IssueCollector issues) = Reading.Binary<DiscoveryResponse>(bytes[..random.Next(200)]);
            (read is not null || issues.HasErrors).ShouldBeTrue();
        }
    }

    [Fact]
    public void Read_TextThatIsNotUtf8_IsAnErrorAtItsField() =>
        Reading.Binary<Cluster>([0x0a, 2, 0xc3, 0x28]).Issues.Issues.ShouldContain(issue => issue.Path == "name" && issue.Message.Contains("UTF-8"));

    [Fact]
    public void Read_BrokenResourceBody_SpoilsOnlyThatResource()
    {
        Any broken = new() { TypeUrl = "type.googleapis.com/envoy.config.cluster.v3.Cluster", Value = ByteString.CopyFrom(0x0a, 1, (byte)'x', 0x0a, 200) };
        byte[] bytes = new DiscoveryResponse { Resources = { broken, Any.Pack(new Cluster { Name = "good" }) } }.ToByteArray();
        (DiscoveryResponse? read, IssueCollector issues) = Reading.Binary<DiscoveryResponse>(bytes);

        read.ShouldNotBeNull();
        issues.Only().Resource.ShouldBe("Cluster/x");
        issues.HasErrorsIn("Cluster/good").ShouldBeFalse();
    }

    [Fact]
    public void Read_AnyInsideAnyBeyondTheLimit_IsAnError()
    {
        TypedExtensionConfig config = new() { Name = "leaf" };
        for (int depth = 0; depth < 200; depth++)
            config = new TypedExtensionConfig { TypedConfig = Any.Pack(config) };

        Reading.Binary<TypedExtensionConfig>(config.ToByteArray()).Issues.Only().Message.ShouldContain("deeper than 64");
    }
}
