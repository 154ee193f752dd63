using System.Net;
using System.Text;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Accesslog.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Matching;
using MeshL4.L4Proxy.Tests.Config.Decoding;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.XRpc;

public class XRpcProxyDecoderTests
{
    private const string Head = "stat_prefix: s\ncodec: redis\n";

    [Fact]
    public void Decode_RoutesWithPrefixesAndConditions_AreFoundInTheRightOrder()
    {
        XRpcRouteTable routes = Good(Head + """
            route_config:
              routes:
              - {name: all, forward: {cluster: rest}}
              - {name: users, match: {key_prefix: "user:"}, forward: {cluster: users, remove_key_prefix: true, read_cluster: replicas}}
              - {name: vips, match: {key_prefix: "user:vip:"}, forward: {weighted_clusters: {clusters: [{name: a, weight: 3}, {name: b, weight: 1}]}}}
              - {name: no-flush, match: {methods: [flushall, flushdb]}, reject: {message: not here}}
            """).Routes.Current;
        routes.ByKey("user:1"u8)!.Name.ShouldBe("users");
        routes.ByKey("user:1"u8)!.ReadCluster.ShouldBe("replicas");
        routes.ByKey("user:vip:1"u8)!.TotalWeight.ShouldBe(4UL);
        routes.ByKey("x"u8)!.Name.ShouldBe("all");
        routes.CatchAll!.Name.ShouldBe("all");
        routes.Conditional.ShouldHaveSingleItem().Match.Methods.ShouldBe(["FLUSHALL", "FLUSHDB"]);
        routes.Conditional[0].RejectMessage.ShouldBe("not here");
        routes.HasPrefixes.ShouldBeTrue();
    }

    [Fact]
    public void Decode_Policies_AreTheRoutesOwnOrTheProxys()
    {
        XRpcProxySnapshot proxy = Good(Head + """
            policies:
              timeout: 2s
              retry: {num_retries: 2, budget_percent: {value: 12.5}, per_try_timeout: 0.3s}
              hedge: {on_per_try_timeout: true, max_hedged_requests: 2}
              faults: [{fraction: {numerator: 5, denominator: TEN_THOUSAND}, methods: [get], delay: 0.1s}]
            route_config:
              routes:
              - {match: {key_prefix: a}, forward: {cluster: c}}
              - match: {key_prefix: b}
                forward: {cluster: c}
                policies:
                  timeout: 1s
                  mirrors: [{cluster: shadow, fraction: {numerator: 50}, exclude_reads: true}]
                  rate_limit: {max_tokens: 1, fill_interval: 1s}
                  authorization: {deny: [{methods: [flushall]}], allow: [{keys: [{prefix: "b:"}], sources: [{address_prefix: 10.0.0.0, prefix_len: 8}]}]}
                  request_log: {sampling: {numerator: 1}}
            """);
        XRpcPoliciesSnapshot shared = proxy.Routes.Current.ByKey("a"u8)!.Policies;
        shared.Timeout.ShouldBe(TimeSpan.FromSeconds(2));
        shared.Retry.ShouldBe(new XRpcRetrySnapshot(2, new Share(125_000), 3, TimeSpan.FromSeconds(0.3)));
        shared.Hedge.ShouldBe(new XRpcHedgeSnapshot(TimeSpan.FromSeconds(0.3), 2, new Share(200_000)));
        shared.Faults.ShouldHaveSingleItem().Fraction.Millionths.ShouldBe(500u);
        shared.Faults[0].Methods.ShouldBe(["GET"]);
        shared.IsPlain.ShouldBeFalse();

        XRpcPoliciesSnapshot own = proxy.Routes.Current.ByKey("b"u8)!.Policies;
        own.Timeout.ShouldBe(TimeSpan.FromSeconds(1));
        own.Retry.ShouldBe(shared.Retry);
        own.Mirrors.ShouldHaveSingleItem().ShouldBe(new XRpcMirrorSnapshot("shadow", new Share(500_000), true));
        own.RateLimit!.TryTake().ShouldBeTrue();
        own.RateLimit.TryTake().ShouldBeFalse();
        XRpcAuthorizationRule allow = own.Authorization!.Allow.ShouldHaveSingleItem();
        allow.Keys[0]("b:1"u8).ShouldBeTrue();
        allow.Keys[0]("c"u8).ShouldBeFalse();
        allow.Source!(new MatchInput { Source = IPEndPoint.Parse("10.1.1.1:5") }).ShouldBeTrue();
        allow.Source(new MatchInput { Source = IPEndPoint.Parse("192.0.2.1:5") }).ShouldBeFalse();
        own.RequestLog!.Sampling.Millionths.ShouldBe(10_000u);
    }

    [Fact]
    public void Decode_LimitsLoginAndUpstream_AreTaken()
    {
        XRpcProxySnapshot proxy = Good(Head + """
            idle_timeout: 0s
            limits: {max_pending_requests: 7, max_buffered_bytes: 4096, slow_reader_timeout: 1s}
            authentication: {username: {inline_string: u}, passwords: [{inline_string: p1}, {inline_string: p2}]}
            upstream: {connections_per_endpoint: 2, credentials: {password: {inline_string: q}}, health_check_interval: 10s}
            route_config: {routes: [{forward: {cluster: c}}]}
            """);
        proxy.IdleTimeout.ShouldBe(TimeSpan.Zero);
        proxy.Limits.MaxPendingRequests.ShouldBe(7);
        proxy.Limits.MaxBufferedBytes.ShouldBe(4096);
        proxy.Limits.SlowReaderTimeout.ShouldBe(TimeSpan.FromSeconds(1));
        proxy.Authentication!.Passwords.Select(p => Encoding.UTF8.GetString(p.Span)).ShouldBe(["p1", "p2"]);
        proxy.Upstream.ConnectionsPerEndpoint.ShouldBe(2);
        Encoding.UTF8.GetString(proxy.Upstream.Credentials!.Password.Span).ShouldBe("q");
        proxy.UnknownAsTcp.ShouldBeFalse();
    }

    [Theory]
    [InlineData("0s", 0)]
    [InlineData("0.05s", 50)]
    public void Decode_HealthCheckInterval_IsNoneOrAtLeastATick(string interval, int milliseconds) =>
        Good($"{Head}upstream: {{health_check_interval: {interval}}}\nroute_config: {{routes: [{{forward: {{cluster: c}}}}]}}")
            .Upstream.HealthCheckInterval.ShouldBe(TimeSpan.FromMilliseconds(milliseconds));

    /// <summary>What <c>redis_proxy</c> can say of commands and metrics, the common message can too.</summary>
    [Fact]
    public void Decode_RedisOptionsAndLatencyUnit_AreTaken()
    {
        XRpcProxySnapshot proxy = Good(Head + "redis: {custom_commands: [my.cmd]}\nlatency_in_micros: true\nroute_config: {routes: [{forward: {cluster: c}}]}");
        proxy.LatencyInMicros.ShouldBeTrue();
        proxy.Redis!.CustomCommands.ShouldBe(["MY.CMD"]);
        proxy.Redis.HashTags.ShouldBeTrue();
    }

    [Fact]
    public void Decode_NoRuleAndNoLogin_LetsUnknownBytesPassAsTcp() =>
        Good(Head + "route_config: {routes: [{forward: {cluster: c}}]}").UnknownAsTcp.ShouldBeTrue();

    [Theory]
    [InlineData(Head + "on_unknown: TCP\nauthentication: {passwords: [{inline_string: p}]}\nroute_config: {routes: [{forward: {cluster: a}}]}", "on_unknown: TCP would let unknown bytes pass")]
    [InlineData("stat_prefix: s\ncodec: nosuch\nroute_config: {routes: [{forward: {cluster: c}}]}", "codec: 'nosuch' is no codec of this build, which has redis")]
    [InlineData("stat_prefix: s\ncodec: nosuch\nredis: {}\nroute_config: {routes: [{forward: {cluster: c}}]}", "redis: 'nosuch' has no such options")]
    [InlineData(Head, "route_config or route_discovery is required")]
    [InlineData(Head + "upstream: {credentials: {}}\nroute_config: {routes: [{forward: {cluster: c}}]}", "upstream.credentials.password: must not be empty")]
    [InlineData(Head + "upstream: {credentials: {username: {inline_string: u}, password: {inline_string: ''}}}\nroute_config: {routes: [{forward: {cluster: c}}]}", "upstream.credentials.password: must not be empty")]
    [InlineData(Head + "redis: {custom_commands: [my.cmd, '']}\nroute_config: {routes: [{forward: {cluster: c}}]}", "redis.custom_commands[1]: must not be empty")]
    [InlineData(Head + "redis: {custom_commands: [eval]}\nroute_config: {routes: [{forward: {cluster: c}}]}", "redis.custom_commands[0]: 'eval' is a command of the server's own")]
    [InlineData(Head + "route_discovery: {config_source: {ads: {}}}", "route_discovery.name: is required")]
    [InlineData(Head + "route_discovery: {name: r}", "route_discovery.config_source: is required")]
    [InlineData(Head + "route_config: {}", "route_config.routes: must not be empty")]
    [InlineData(Head + "route_config: {routes: [{name: x}]}", "route_config.routes[0]: forward or reject is required")]
    [InlineData(Head + "route_config: {routes: [{forward: {cluster: a}}, {forward: {cluster: b}}]}", "routes[1].match: an earlier route takes the same requests")]
    [InlineData(Head + "route_config: {routes: [{forward: {cluster: a, remove_key_prefix: true}}]}", "remove_key_prefix: needs a match.key_prefix")]
    [InlineData(Head + "route_config: {routes: [{forward: {weighted_clusters: {clusters: [{name: a}]}}}]}", "clusters[0]: a name and a weight of at least 1 are required")]
    [InlineData(Head + "route_config: {routes: [{reject: {message: \"a\\r\\nb\"}}]}", "reject.message: must not hold control characters")]
    [InlineData(Head + "on_unknown: TCP\nroute_config: {routes: [{forward: {cluster: a}, policies: {authorization: {allow: [{}]}}}]}", "on_unknown: TCP would let unknown bytes pass")]
    [InlineData(Head + "on_unknown: TCP\nroute_config: {routes: [{match: {key_prefix: a}, forward: {cluster: a}}]}", "on_unknown: TCP needs a route without a condition")]
    [InlineData(Head + "policies: {faults: [{}]}\nroute_config: {routes: [{forward: {cluster: a}}]}", "faults[0]: delay or abort is required")]
    [InlineData(Head + "policies: {faults: [{delay: 1s, fraction: {numerator: 101}}]}\nroute_config: {routes: [{forward: {cluster: a}}]}", "numerator: 101 is more than all of Hundred")]
    [InlineData(Head + "policies: {authorization: {}}\nroute_config: {routes: [{forward: {cluster: a}}]}", "authorization: a rule is required")]
    [InlineData(Head + "policies: {retry: {num_retries: 99}}\nroute_config: {routes: [{forward: {cluster: a}}]}", "num_retries: must be at most 10")]
    [InlineData(Head + "policies: {hedge: {}}\nroute_config: {routes: [{forward: {cluster: a}}]}", "hedge: delay, or on_per_try_timeout: true, is required")]
    [InlineData(Head + "policies: {hedge: {on_per_try_timeout: true}, retry: {}}\nroute_config: {routes: [{forward: {cluster: a}}]}", "on_per_try_timeout: needs a retry.per_try_timeout")]
    [InlineData(Head + "policies: {hedge: {delay: 1s, max_hedged_requests: 4}}\nroute_config: {routes: [{forward: {cluster: a}}]}", "max_hedged_requests: must be between 1 and 3")]
    [InlineData(Head + "authentication: {passwords: [{inline_string: ''}]}\nroute_config: {routes: [{forward: {cluster: a}}]}", "passwords[0]: must not be empty")]
    [InlineData(Head + "policies: {rate_limit: {max_tokens: 0, fill_interval: 1s}}\nroute_config: {routes: [{forward: {cluster: a}}]}", "policies.rate_limit.max_tokens: must be at least 1")]
    [InlineData(Head + "policies: {rate_limit: {max_tokens: 1, tokens_per_fill: 0, fill_interval: 0.01s}}\nroute_config: {routes: [{forward: {cluster: a}}]}", "policies.rate_limit.tokens_per_fill: must be at least 1")]
    [InlineData(Head + "policies: {rate_limit: {max_tokens: 1, fill_interval: 0.01s}}\nroute_config: {routes: [{forward: {cluster: a}}]}", "policies.rate_limit.fill_interval: must be at least 50 ms")]
    [InlineData(Head + "route_config: {routes: [{match: {methods: [SET, FLUSHAL]}, forward: {cluster: a}}]}", "route_config.routes[0].match.methods[1]: 'FLUSHAL' is no method that the codec redis tells from others; did you mean 'flushall'?")]
    [InlineData(Head + "route_config: {routes: [{forward: {cluster: a}, policies: {authorization: {deny: [{methods: [nonsense.command]}]}}}]}", "routes[0].policies.authorization.deny[0].methods[0]: 'nonsense.command' is no method")]
    [InlineData(Head + "policies: {faults: [{delay: 1s, methods: [gte]}]}\nroute_config: {routes: [{forward: {cluster: a}}]}", "policies.faults[0].methods[0]: 'gte' is no method that the codec redis tells from others; did you mean 'get'?")]
    [InlineData(Head + "route_config: {routes: [{match: {metadata: [{name: keys}]}, forward: {cluster: a}}]}", "match.metadata[0].name: 'keys' is no metadata of the codec redis; did you mean 'key'?")]
    [InlineData(Head + "route_config: {routes: [{forward: {cluster: a}, policies: {authorization: {deny: [{metadata: [{name: tenant, invert: true}]}]}}}]}", "deny[0].metadata[0].name: 'tenant' is no metadata of the codec redis, which has key")]
    [InlineData(Head + "route_config: {routes: [{forward: {cluster: a, hash_by: lane}}]}", "forward.hash_by: 'lane' is no metadata of the codec redis, which has key")]
    [InlineData(Head + "limits: {max_frame_bytes: 0}\nroute_config: {routes: [{forward: {cluster: a}}]}", "limits.max_frame_bytes: must be at least 1")]
    [InlineData(Head + "policies: {request_metadata: [{name: key, set: x}]}\nroute_config: {routes: [{forward: {cluster: a}}]}", "policies.request_metadata[0]: requests of the codec redis have no metadata that can be set or removed")]
    [InlineData(Head + "route_config: {routes: [{match: {service: {exact: s}}, forward: {cluster: a}}]}", "match.service: requests of the codec redis call no service")]
    [InlineData(Head + "route_config: {routes: [{forward: {cluster: a}, policies: {authorization: {deny: [{services: [{exact: s}]}]}}}]}", "deny[0].services: requests of the codec redis call no service")]
    [InlineData(Head + "upstream: {health_check_interval: 0.049s}\nroute_config: {routes: [{forward: {cluster: a}}]}", "upstream.health_check_interval: must be at least 50 ms")]
    [InlineData(Head + "upstream: {health_check_interval: 0.00000001s}\nroute_config: {routes: [{forward: {cluster: a}}]}", "upstream.health_check_interval: must be at least 50 ms")]
    public void Decode_WhatCannotBe_IsRefusedByItsPath(string yaml, string expected)
    {
        (XRpcProxy? message, IssueCollector issues) = Reading.Yaml<XRpcProxy>(yaml);
        XRpcProxyDecoder.Decode(message!, new DecodeScope(issues, ""));
        issues.Issues.ShouldContain(issue => issue.ToString().Contains(expected), string.Join('\n', issues.Issues));
    }

    [Theory]
    [InlineData("{forward: {cluster: a}}", true)]
    [InlineData("{forward: {cluster: a}, policies: {rate_limit: {max_tokens: 1, fill_interval: 1s}}}", false)]
    [InlineData("{forward: {cluster: a}, policies: {authorization: {deny: [{methods: [get]}]}}}", false)]
    [InlineData("{forward: {cluster: a}, policies: {faults: [{delay: 1s}]}}", false)]
    [InlineData("{forward: {cluster: a}, policies: {timeout: 1s, retry: {num_retries: 1}, hedge: {delay: 1s}, mirrors: [{cluster: b}]}}", true)]
    [InlineData("{match: {key_prefix: a}, forward: {cluster: a}}", false)]
    [InlineData("{match: {methods: [get]}, forward: {cluster: a}}, {forward: {cluster: a}}", false)]
    [InlineData("{reject: {message: no}}", false)]
    public void Decode_UnknownBytesByDefault_AreTcpOnlyWhereNothingIsDecided(string route, bool tcp) =>
        Good($"{Head}route_config: {{routes: [{route}]}}").UnknownAsTcp.ShouldBe(tcp);

    [Theory]
    [InlineData("status_code_filter: {comparison: {op: GE, value: {default_value: 400}}}", "status_code_filter", "is not supported for requests")]
    [InlineData("header_filter: {header: {name: x}}", "header_filter", "is not supported for requests")]
    [InlineData("extension_filter: {name: cel}", "extension_filter", "is not supported for requests")]
    [InlineData("or_filter: {filters: [{traceable_filter: {}}]}", "or_filter.filters[0].traceable_filter", "is not supported for requests")]
    [InlineData("and_filter: {}", "and_filter.filters", "must not be empty")]
    [InlineData("response_flag_filter: {flags: [UT, XX]}", "response_flag_filter.flags[1]", "'XX' is no flag of this proxy's")]
    [InlineData("duration_filter: {comparison: {op: GE}}", "duration_filter.comparison", "needs a value")]
    public void Decode_FilterThatSaysNothingOfARequest_IsRefusedByName(string filter, string place, string reason)
    {
        const string file = "typed_config: {'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null}";
        (XRpcProxy? message, IssueCollector issues) = Reading.Yaml<XRpcProxy>(
            Head + $"policies: {{request_log: {{access_log: [{{name: f, filter: {{{filter}}}, {file}}}]}}}}\nroute_config: {{routes: [{{forward: {{cluster: c}}}}]}}\n");
        issues.Issues.ShouldBeEmpty();
        XRpcProxyDecoder.Decode(message!, new DecodeScope(issues, ""));
        ConfigIssue issue = issues.Issues.ShouldHaveSingleItem();
        (issue.Severity, issue.Path, issue.Message).ShouldBe((IssueSeverity.Error, $"policies.request_log.access_log[0].filter.{place}", reason));
    }

    [Fact]
    public void Decode_ComparisonOfANewerApi_IsRefused()
    {
        XRpcProxy proxy = Reading.Yaml<XRpcProxy>(Head + "policies: {request_log: {access_log: [{name: f, filter: {duration_filter: {comparison: {value: {default_value: 1}}}}, "
            + "typed_config: {'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null}}]}}\nroute_config: {routes: [{forward: {cluster: c}}]}\n").Message!;
        proxy.Policies.RequestLog.AccessLog[0].Filter.DurationFilter.Comparison.Op = (ComparisonFilter.Types.Op)3;
        var issues = new IssueCollector();
        XRpcProxyDecoder.Decode(proxy, new DecodeScope(issues, ""));
        issues.Issues.ShouldHaveSingleItem().ToString().ShouldContain("duration_filter.comparison.op: 3 is not supported");
    }

    private static XRpcProxySnapshot Good(string yaml)
    {
        (XRpcProxy? message, IssueCollector issues) = Reading.Yaml<XRpcProxy>(yaml);
        issues.Issues.ShouldBeEmpty();
        XRpcProxySnapshot? proxy = XRpcProxyDecoder.Decode(message!, new DecodeScope(issues, ""));
        issues.Issues.ShouldBeEmpty();
        return proxy.ShouldNotBeNull();
    }
}
