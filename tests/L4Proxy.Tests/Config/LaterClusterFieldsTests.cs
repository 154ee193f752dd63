using MeshL4.L4Proxy.Config.Snapshots;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>What is not acted on yet is held to Envoy's own constraints all the same, and told of.</summary>
public sealed class LaterClusterFieldsTests : IDisposable
{
    private const string Policies = "type.googleapis.com/envoy.extensions.load_balancing_policies.";
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("http_health_check: {}", "http_health_check.path: is required")]
    [InlineData("http_health_check: {path: \"/a\\nb\"}", "http_health_check.path: has characters")]
    [InlineData("http_health_check: {path: /, host: \"a\\x01\"}", "http_health_check.host: has characters")]
    [InlineData("http_health_check: {path: /, expected_statuses: [{start: 200, end: 201}, {start: 300, end: 300}]}", "http_health_check.expected_statuses[1]: [300, 300)")]
    [InlineData("http_health_check: {path: /, expected_statuses: [{start: 99, end: 201}]}", "expected_statuses[0]")]
    [InlineData("http_health_check: {path: /, retriable_statuses: [{start: 500, end: 601}]}", "retriable_statuses[0]")]
    [InlineData("http_health_check: {path: /, method: CONNECT}", "http_health_check.method: CONNECT")]
    [InlineData("http_health_check: {path: /, method: FETCH}", "http_health_check.method: is \"FETCH\"")]
    [InlineData("http_health_check: {path: /, request_headers_to_add: [{header: {value: x}}]}", "request_headers_to_add[0].header.key: is required")]
    [InlineData("http_health_check: {path: /, request_headers_to_remove: [\"a\\r\"]}", "request_headers_to_remove[0]")]
    [InlineData("http_health_check: {path: /, service_name_matcher: {}}", "http_health_check.service_name_matcher: one of exact")]
    [InlineData("http_health_check: {path: /, receive: [{text: 6f6}]}", "http_health_check.receive[0].text: must be bytes in hexadecimal")]
    [InlineData("http_health_check: {path: /, timeout: 1s}", "http_health_check.timeout")]
    [InlineData("tcp_health_check: {send: {text: xyz0}}", "tcp_health_check.send.text: must be bytes in hexadecimal")]
    [InlineData("tcp_health_check: {receive: [{}]}", "tcp_health_check.receive[0]: text or binary is required")]
    [InlineData("grpc_health_check: {authority: \"a\\nb\"}", "grpc_health_check.authority: has characters")]
    [InlineData("grpc_health_check: {initial_metadata: [{header: {key: \"a\\n\"}}]}", "grpc_health_check.initial_metadata[0].header.key: has characters")]
    [InlineData("custom_health_check: {}", "custom_health_check.name: is required")]
    [InlineData("tcp_health_check: {}, no_traffic_interval: 0s", "no_traffic_interval: must be greater than zero")]
    [InlineData("tcp_health_check: {}, unhealthy_edge_interval: 0s", "unhealthy_edge_interval: must be greater than zero")]
    [InlineData("tcp_health_check: {}, initial_jitter: -1s", "initial_jitter: duration of -1 s")]
    [InlineData("reuse_connection: true", "a kind of check is required")]
    public void HealthCheck_ThatEnvoyRefuses_IsRefusedByItsPath(string check, string reason) =>
        ErrorOf($"health_checks: [{{timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, {check}}}]").ShouldContain(reason);

    [Theory]
    [InlineData("lb_subset_config: {fallback_policy: NEAREST}", "lb_subset_config.fallback_policy: is \"NEAREST\"")]
    [InlineData("lb_subset_config: {locality_weight_aware: true}", "lb_subset_config.locality_weight_aware: needs common_lb_config.locality_weighted_lb_config")]
    [InlineData("lb_subset_config: {subset_selectors: [{keys: [a]}, {keys: [a], fallback_policy: KEYS_SUBSET}]}", "subset_selectors[1].fallback_keys_subset: is required")]
    [InlineData("lb_subset_config: {subset_selectors: [{keys: [a, b], fallback_keys_subset: [a]}]}", "fallback_keys_subset: is for fallback_policy KEYS_SUBSET only")]
    [InlineData("lb_subset_config: {subset_selectors: [{keys: [a, b], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [c]}]}", "fallback_keys_subset: must be some of keys")]
    [InlineData("lb_subset_config: {subset_selectors: [{keys: [a, b], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [b, a]}]}", "fallback_keys_subset: must be some of keys")]
    [InlineData("type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, lb_subset_config: {}", "lb_subset_config: cannot be combined with lb_policy CLUSTER_PROVIDED")]
    [InlineData("outlier_detection: {enforcing_success_rate: 101}", "outlier_detection.enforcing_success_rate: 101 is above 100")]
    [InlineData("outlier_detection: {failure_percentage_threshold: 101}", "outlier_detection.failure_percentage_threshold: 101 is above 100")]
    [InlineData("outlier_detection: {base_ejection_time: 20s, max_ejection_time: 10s}", "outlier_detection.max_ejection_time: is below base_ejection_time")]
    [InlineData("outlier_detection: {max_ejection_time: 29s}", "outlier_detection.max_ejection_time: is below base_ejection_time (30s")]
    [InlineData("round_robin_lb_config: {slow_start_config: {min_weight_percent: {value: 101}}}", "round_robin_lb_config.slow_start_config.min_weight_percent: must be between 0 and 100")]
    [InlineData("least_request_lb_config: {slow_start_config: {slow_start_window: -1s}}", "least_request_lb_config.slow_start_config.slow_start_window: duration of -1 s")]
    [InlineData("ring_hash_lb_config: {minimum_ring_size: 8388609}", "ring_hash_lb_config.minimum_ring_size: 8388609 is above 8388608")]
    [InlineData("ring_hash_lb_config: {maximum_ring_size: 8388609}", "ring_hash_lb_config.maximum_ring_size: 8388609 is above 8388608")]
    [InlineData("lb_policy: RING_HASH, ring_hash_lb_config: {maximum_ring_size: 512}", "ring_hash_lb_config.minimum_ring_size: is above maximum_ring_size (1024 where it is not set)")]
    [InlineData("lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 9, maximum_ring_size: 8}", "ring_hash_lb_config.minimum_ring_size: is above maximum_ring_size")]
    [InlineData("lb_policy: MAGLEV, maglev_lb_config: {table_size: 65536}", "maglev_lb_config.table_size: must be a prime")]
    [InlineData("common_lb_config: {consistent_hashing_lb_config: {hash_balance_factor: 99}}", "common_lb_config.consistent_hashing_lb_config.hash_balance_factor: 99 is below 100")]
    public void Field_ThatEnvoyRefuses_IsRefusedByItsPath(string fields, string reason) => ErrorOf(fields).ShouldContain(reason);

    [Theory]
    [InlineData("round_robin.v3.RoundRobin", "slow_start_config: {slow_start_window: -1s}", "slow_start_config.slow_start_window: duration of -1 s")]
    [InlineData("least_request.v3.LeastRequest", "slow_start_config: {min_weight_percent: {value: -1}}", "slow_start_config.min_weight_percent: must be between 0 and 100")]
    [InlineData("ring_hash.v3.RingHash", "minimum_ring_size: 9, maximum_ring_size: 8", "minimum_ring_size: is above maximum_ring_size")]
    [InlineData("ring_hash.v3.RingHash", "maximum_ring_size: 512", "minimum_ring_size: is above maximum_ring_size (1024")]
    [InlineData("ring_hash.v3.RingHash", "hash_balance_factor: 1", "hash_balance_factor: 1 is below 100")]
    [InlineData("maglev.v3.Maglev", "table_size: 9", "table_size: must be a prime")]
    [InlineData("maglev.v3.Maglev", "consistent_hashing_lb_config: {hash_balance_factor: 1}", "consistent_hashing_lb_config.hash_balance_factor: 1 is below 100")]
    [InlineData("subset.v3.Subset", "subset_selectors: [{keys: [a], fallback_keys_subset: [a]}], subset_lb_policy: {policies: [{typed_extension_config: {name: r, typed_config: {'@type': type.googleapis.com/envoy.extensions.load_balancing_policies.random.v3.Random}}}]}", "subset_selectors[0].fallback_keys_subset: is for")]
    public void PolicyField_ThatEnvoyRefuses_IsRefusedByItsPath(string type, string fields, string reason) =>
        ErrorOf(PolicyOf(type, fields)).ShouldContain("load_balancing_policy.policies[0].typed_extension_config.typed_config." + reason);

    [Theory]
    [InlineData("health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, tls_options: {alpn_protocols: [h2]}, http_health_check: {host: h, path: /live, send: {text: 00ff}, receive: [{binary: AA==}], request_headers_to_add: [{header: {key: a, value: b}}], request_headers_to_remove: [c], expected_statuses: [{start: 100, end: 600}], codec_client_type: HTTP2, service_name_matcher: {prefix: l}, method: HEAD}}]", "health_checks")]
    [InlineData("health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, grpc_health_check: {service_name: s, authority: a, initial_metadata: [{header: {key: k, value: v}}]}}]", "health_checks")]
    [InlineData("health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, custom_health_check: {name: redis, typed_config: {'@type': type.googleapis.com/envoy.extensions.health_checkers.redis.v3.Redis, key: k}}}]", "health_checks")]
    [InlineData("common_lb_config: {locality_weighted_lb_config: {}}, lb_subset_config: {fallback_policy: DEFAULT_SUBSET, default_subset: {a: b}, locality_weight_aware: true, scale_locality_weight: true, panic_mode_any: true, list_as_any: true, metadata_fallback_policy: FALLBACK_LIST, subset_selectors: [{keys: [a, b], single_host_per_subset: false, fallback_policy: KEYS_SUBSET, fallback_keys_subset: [a]}]}", "lb_subset_config")]
    [InlineData("outlier_detection: {base_ejection_time: 400s, enforcing_failure_percentage: 100}", "outlier_detection")]
    [InlineData("least_request_lb_config: {slow_start_config: {slow_start_window: 9s, aggression: {default_value: 2, runtime_key: k}, min_weight_percent: {value: 100}}}", "least_request_lb_config.slow_start_config")]
    [InlineData("common_lb_config: {consistent_hashing_lb_config: {hash_balance_factor: 100}}", "consistent_hashing_lb_config.hash_balance_factor")]
    [InlineData("lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 512, maximum_ring_size: 512}", "ring_hash_lb_config.maximum_ring_size")]
    public void Field_ThatEnvoyTakes_IsTakenWithAWarningThatNamesIt(string fields, string field)
    {
        string bootstrap = Bootstrap(fields);
        _folder.Errors(bootstrap).ShouldBeEmpty();
        _folder.Warnings(bootstrap).ShouldContain($"{field}: ");
    }

    [Theory]
    [InlineData("least_request_lb_config: {slow_start_config: {slow_start_window: 0s}}")]
    [InlineData("load_balancing_policy: {policies: [{typed_extension_config: {name: m, typed_config: {'@type': " + Policies + "round_robin.v3.RoundRobin, slow_start_config: {slow_start_window: 0s}}}}]}")]
    [InlineData("ring_hash_lb_config: {maximum_ring_size: 512}")]
    [InlineData("ring_hash_lb_config: {minimum_ring_size: 9, maximum_ring_size: 8}")]
    [InlineData("lb_policy: RING_HASH, ring_hash_lb_config: {maximum_ring_size: 8388608}")]
    public void Field_ThatChangesNothing_IsTakenWithoutAWarningThatNamesIt(string fields)
    {
        string bootstrap = Bootstrap(fields);
        _folder.Errors(bootstrap).ShouldBeEmpty();
        string warnings = _folder.Warnings(bootstrap);
        warnings.ShouldNotContain("slow_start");
        warnings.ShouldNotContain("ring_size");
    }

    // The API bounds the length of headers alone, and in bytes.
    [Fact]
    public void HealthCheck_LongTexts_AreRefusedInHeadersOnly()
    {
        const string Times = "timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1";
        string text = new('a', 20_000);
        _folder.Errors(Bootstrap($"health_checks: [{{{Times}, http_health_check: {{host: {text}, path: /{text}, request_headers_to_remove: [{text}]}}}}, {{{Times}, grpc_health_check: {{authority: {text}}}}}]"))
            .ShouldBeEmpty();
        _folder.Errors(Bootstrap(HeaderOf(new string('a', 16_384)))).ShouldBeEmpty();
        ErrorOf(HeaderOf(new string('a', 16_385))).ShouldContain("request_headers_to_add[0].header.value: is longer than 16384 bytes");
        ErrorOf(HeaderOf(new string('\u00e9', 10_000))).ShouldContain("request_headers_to_add[0].header.value: is longer than 16384 bytes");

        static string HeaderOf(string value) => $"health_checks: [{{{Times}, http_health_check: {{path: /, request_headers_to_add: [{{header: {{key: k, value: {value}}}}}]}}}}]";
    }

    [Fact]
    public void SlowStart_OfAPolicy_IsTakenWithAWarning()
    {
        string bootstrap = Bootstrap(PolicyOf("round_robin.v3.RoundRobin", "slow_start_config: {slow_start_window: 9s}"));
        _folder.Errors(bootstrap).ShouldBeEmpty();
        _folder.Warnings(bootstrap).ShouldContain("typed_config.slow_start_config: slow start is not supported yet");
    }

    [Fact]
    public void Subsets_OfAPolicy_AreTakenWithAWarning_AndTheirPolicyChooses()
    {
        string bootstrap = Bootstrap(PolicyOf(
            "subset.v3.Subset",
            $"allow_redundant_keys: true, subset_selectors: [{{keys: [a]}}], subset_lb_policy: {{policies: [{{typed_extension_config: {{name: r, typed_config: {{'@type': {Policies}random.v3.Random}}}}}}]}}"));
        _folder.Warnings(bootstrap).ShouldContain("typed_config: subsets are not supported yet");
        _folder.Start(bootstrap).Clusters["c"].ShouldSatisfyAllConditions(
            static c => c.Policy.ShouldBe(LoadBalancingPolicy.Random), static c => c.LocalityWeighted.ShouldBeFalse());
        _folder.Errors(Bootstrap(PolicyOf("subset.v3.Subset", "list_as_any: true"))).ShouldContain("typed_config.subset_lb_policy: is required");
    }

    private static string PolicyOf(string type, string fields) =>
        $"load_balancing_policy: {{policies: [{{typed_extension_config: {{name: m, typed_config: {{'@type': {Policies}{type}, {fields}}}}}}}]}}";

    private string ErrorOf(string fields) => _folder.Errors(Bootstrap(fields)).Split('\n').ShouldHaveSingleItem();

    private static string Bootstrap(string fields) => $"static_resources: {{clusters: [{{name: c, {fields}}}]}}\n";
}
