using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.XRpc;

/// <summary>The bootstrap extension that has a codec read what the control plane sends as tcp_proxy.</summary>
public sealed class CodecRulesTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Start_RuleTakesAChain_CodecReadsItAndItsClustersStay()
    {
        ProxySnapshot snapshot = _folder.Start(Bootstrap("{cluster_pattern: 'outbound|6379||*', port: 6379, codec: redis, policies: {timeout: 2s}, redis: {custom_commands: [my.cmd]}, latency_in_micros: true}"));
        XRpcProxySnapshot redis = Terminal(snapshot, "redis").ShouldBeOfType<XRpcProxySnapshot>();
        redis.Codec.ShouldBe("redis");
        redis.StatPrefix.ShouldBe("r");
        redis.Redis!.CustomCommands.ShouldBe(["MY.CMD"]);
        redis.LatencyInMicros.ShouldBeTrue();
        redis.IdleTimeout.ShouldBe(TimeSpan.FromSeconds(7));
        redis.UnknownAsTcp.ShouldBeTrue();
        redis.Routes.Current.CatchAll!.Clusters.ShouldBe([new WeightedClusterSnapshot("outbound|6379||cache.default.svc", 3), new WeightedClusterSnapshot("outbound|6379||cache2.default.svc", 1)]);
        redis.Routes.Current.CatchAll.Policies.Timeout.ShouldBe(TimeSpan.FromSeconds(2));
        Terminal(snapshot, "other").ShouldBeOfType<TcpProxySnapshot>();
    }

    [Theory]
    [InlineData("{port: 6379, codec: redis}", true)]
    [InlineData("{port: 6380, codec: redis}", false)]
    [InlineData("{cluster_pattern: '*cache.default.svc', codec: redis}", false)]
    [InlineData("{cluster_pattern: '*cache*.default.svc', codec: redis}", true)]
    public void Start_Conditions_AllHoldForEveryCluster(string rule, bool taken) =>
        (Terminal(_folder.Start(Bootstrap(rule)), "redis") is XRpcProxySnapshot).ShouldBe(taken);

    [Theory]
    [InlineData("{codec: redis}", "rules[0]: cluster_pattern or port is required")]
    [InlineData("{port: 1, codec: nosuch}", "rules[0].codec: 'nosuch' is no codec of this build")]
    [InlineData("{port: 1, codec: redis, upstream: {health_check_interval: 0.02s}}", "rules[0].upstream.health_check_interval: must be at least 50 ms")]
    [InlineData("{port: 70000, codec: redis}", "rules[0].port: 70000 is above 65535")]
    [InlineData("{port: 1, codec: redis, on_unknown: TCP, policies: {rate_limit: {max_tokens: 1, fill_interval: 1s}}}", "on_unknown: TCP would let unknown bytes pass")]
    public void Start_RuleThatCannotBe_IsRefusedByItsPath(string rule, string expected) =>
        Should.Throw<Exception>(() => _folder.Start(Bootstrap(rule))).Message.ShouldContain(expected);

    [Fact]
    public void Build_TcpProxyThatIsDiscovered_IsTakenByTheRule_AndStaysTheSameObject()
    {
        using var names = new DnsResolution(static (_, _) => Task.FromResult<System.Net.IPAddress[]>([]), static () => { }, static (_, _) => { });
        var builder = new SnapshotBuilder(new ClusterStateRegistry(), names) { CodecRules = [new CodecRuleSnapshot("cache", 6379, new XRpcProxy { Codec = "redis" })] };
        var source = new ExtensionConfigSource { ConfigSource = new ConfigSource { Ads = new() }, TypeUrls = { "type.googleapis.com/" + TcpProxy.Descriptor.FullName } };
        var chain = new FilterChain { Filters = { new Filter { Name = "ends", ConfigDiscovery = source } } };
        Apply(builder, TypeUrls.Listener, Listener("redis", 6379, chain), Listener("other", 6380, chain));
        Apply(builder, TypeUrls.ExtensionConfig, new TypedExtensionConfig { Name = "ends", TypedConfig = Any.Pack(new TcpProxy { StatPrefix = "r", Cluster = "cache" }) });
        ProxySnapshot snapshot = builder.Build();
        XRpcProxySnapshot redis = Terminal(snapshot, "redis").ShouldBeOfType<XRpcProxySnapshot>();
        redis.Routes.Current.CatchAll!.Clusters.ShouldBe([new WeightedClusterSnapshot("cache", 1)]);
        Terminal(snapshot, "other").ShouldBeOfType<TcpProxySnapshot>("the rule is about another port");

        Apply(builder, TypeUrls.ExtensionConfig, new TypedExtensionConfig { Name = "unrelated", TypedConfig = Any.Pack(new TcpProxy { StatPrefix = "u", Cluster = "u" }) });
        Terminal(builder.Build(), "redis").ShouldBeSameAs(redis);
    }

    private static void Apply(SnapshotBuilder builder, string typeUrl, params Google.Protobuf.IMessage[] resources)
    {
        var issues = new IssueCollector();
        builder.Apply(new ResourceUpdate(typeUrl, "1", "ads", OfferedResource.Of(resources), issues));
        issues.Issues.ShouldBeEmpty();
    }

    private static Listener Listener(string name, uint port, FilterChain chain) => new()
    {
        Name = name, Address = new Address { SocketAddress = new SocketAddress { Address = "127.0.0.1", PortValue = port } }, FilterChains = { chain },
    };

    private static TerminalSnapshot Terminal(ProxySnapshot snapshot, string listener) =>
        snapshot.Listeners.Single(one => one.Name == listener).FilterChains[0].Terminal;

    private static string Bootstrap(string rule) => $$$"""
        bootstrap_extensions:
        - name: codecs
          typed_config: {'@type': type.googleapis.com/meshl4.xrpc.v1.CodecRules, rules: [{{{rule}}}]}
        static_resources:
          listeners:
          - name: redis
            address: {socket_address: {address: 127.0.0.1, port_value: 6379}}
            filter_chains:
            - filters:
              - name: tcp
                typed_config:
                  '@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                  stat_prefix: r
                  idle_timeout: 7s
                  weighted_clusters: {clusters: [{name: outbound|6379||cache.default.svc, weight: 3}, {name: outbound|6379||cache2.default.svc, weight: 1}]}
          - name: other
            address: {socket_address: {address: 127.0.0.1, port_value: 5432}}
            filter_chains:
            - filters:
              - name: tcp
                typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: o, cluster: outbound|5432||db.default.svc}
          clusters: [{name: c}]
        """;
}
