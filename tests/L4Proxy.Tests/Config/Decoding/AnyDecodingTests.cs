using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;
using Filter = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Filter;

namespace MeshL4.L4Proxy.Tests.Config.Decoding;

public sealed class AnyDecodingTests
{
    private const string TcpProxyUrl = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

    [Theory]
    [InlineData("udpa.type.v1.TypedStruct", "type_url")]
    [InlineData("udpa.type.v1.TypedStruct", "typeUrl")]
    [InlineData("xds.type.v3.TypedStruct", "type_url")]
    [InlineData("xds.type.v3.TypedStruct", "typeUrl")]
    public void Read_TypedStruct_BecomesTheTypeItStandsFor(string carrier, string key)
    {
        (Filter? filter, IssueCollector issues) = Reading.Yaml<Filter>($$"""
            name: tcp
            typed_config:
              '@type': type.googleapis.com/{{carrier}}
              {{key}}: {{TcpProxyUrl}}
              value: {cluster: c, statPrefix: p, max_connect_attempts: 3}
            """);

        issues.Issues.ShouldBeEmpty();
        TcpProxy proxy = filter!.TypedConfig.Unpack<TcpProxy>();
        (proxy.Cluster, proxy.StatPrefix, proxy.MaxConnectAttempts).ShouldBe(("c", "p", 3u));
    }

    [Fact]
    public void Read_TypedStructInBinary_BecomesTheTypeItStandsFor()
    {
        (Listener? listener, IssueCollector issues) = Reading.Binary<Listener>(ListenerWith(TypedStruct("c")).ToByteArray());

        issues.Issues.ShouldBeEmpty();
        listener!.FilterChains[0].Filters[0].TypedConfig.Unpack<TcpProxy>().Cluster.ShouldBe("c");
    }

    [Fact]
    public void Read_TypedStructInAResourceInBinary_BecomesTheTypeItStandsFor()
    {
        DiscoveryResponse response = new() { Resources = { Any.Pack(ListenerWith(TypedStruct("c"))) } };
        (DiscoveryResponse? read, IssueCollector issues) = Reading.Binary<DiscoveryResponse>(response.ToByteArray());

        issues.Issues.ShouldBeEmpty();
        read!.Resources[0].Unpack<Listener>().FilterChains[0].Filters[0].TypedConfig.Unpack<TcpProxy>().Cluster.ShouldBe("c");
    }

    [Fact]
    public void Read_ErrorInsideATypedStruct_HasItsPathInBothForms()
    {
        (_, IssueCollector text) = Reading.Yaml<Filter>($$"""
            typed_config: {'@type': t/xds.type.v3.TypedStruct, type_url: {{TcpProxyUrl}}, value: {cluster: 1} }
            """);
        (_, IssueCollector binary) = Reading.Binary<Filter>(
            new Filter { TypedConfig = TypedStruct(Value.ForNumber(1)) }.ToByteArray());

        text.Only().Path.ShouldBe("typed_config.value.cluster");
        binary.Only().Path.ShouldBe("typed_config.value.cluster");
    }

    [Fact]
    public void Read_TypedStructWithoutTypeUrl_IsAnError() =>
        Reading.Yaml<Filter>("typed_config: {'@type': t/udpa.type.v1.TypedStruct, value: {}}").Issues.Only().Path.ShouldBe("typed_config.type_url");

    [Theory]
    [InlineData("{'@type': type.googleapis.com/acme.Filter, a: {b: 1}}")]
    [InlineData("{'@type': t/udpa.type.v1.TypedStruct, type_url: type.googleapis.com/acme.Filter, value: {a: 1}}")]
    public void Read_UnknownType_IsLeftToTheDecoder(string config)
    {
        (Filter? filter, IssueCollector issues) = Reading.Yaml<Filter>($"typed_config: {config}");

        issues.Issues.ShouldBeEmpty();
        filter!.TypedConfig.TypeUrl.ShouldBe("type.googleapis.com/acme.Filter");
    }

    [Fact]
    public void Read_ResourcesOfAFile_AreNamedByThemselves()
    {
        (DiscoveryResponse? response, IssueCollector issues) = Reading.Yaml<DiscoveryResponse>("""
            version_info: "1"
            resources:
            - {'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: good}
            - {'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: bad, lb_policy: NO}
            - '@type': type.googleapis.com/envoy.service.discovery.v3.Resource
              name: wrapped
              resource: {'@type': type.googleapis.com/envoy.config.listener.v3.Listener, name: wrapped, api_listener: {}}
            """, ConfigSourceKind.File);

        issues.Issues.Select(issue => (issue.Resource, issue.Path)).ShouldBe([("Cluster/bad", "lb_policy"), ("Listener/wrapped", "api_listener")]);
        issues.HasErrorsIn("Cluster/good").ShouldBeFalse();
        issues.HasErrorsIn("Cluster/bad").ShouldBeTrue();
        issues.HasErrorsOutsideResources.ShouldBeFalse();
        response!.Resources[0].Unpack<Cluster>().Name.ShouldBe("good");
    }

    [Fact]
    public void Read_StructInAny_TakesItsValue()
    {
        (Filter? filter, IssueCollector issues) = Reading.Yaml<Filter>("typed_config: {'@type': t/google.protobuf.Struct, value: {a: b}}");

        issues.Issues.ShouldBeEmpty();
        filter!.TypedConfig.Unpack<Struct>().Fields["a"].StringValue.ShouldBe("b");
    }

    private static Listener ListenerWith(Any config) =>
        new() { Name = "l", FilterChains = { new FilterChain { Filters = { new Filter { Name = "tcp", TypedConfig = config } } } } };

    private static Any TypedStruct(string cluster) => TypedStruct(Value.ForString(cluster));

    private static Any TypedStruct(Value cluster) => Any.Pack(new L4Proxy.Config.Protos.Udpa.Type.V1.TypedStruct
    {
        TypeUrl = TcpProxyUrl,
        Value = new Struct { Fields = { ["cluster"] = cluster } },
    });
}
