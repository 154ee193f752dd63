using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Tests.Config.Decoding;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.XRpc;

/// <summary>What <c>redis_proxy</c> compiles to, and which of its fields are refused.</summary>
public class RedisModelTests
{
    private const string Least = "stat_prefix: s\nsettings: {op_timeout: 5s}\n";

    [Fact]
    public void Decode_AllThatIsHonoured_IsInTheModel()
    {
        XRpcProxySnapshot proxy = Decode("""
            stat_prefix: s
            settings: {op_timeout: 5s, enable_hashtagging: true, connection_rate_limit: {connection_rate_limit_per_sec: 9}, max_buffer_size_before_flush: 1024, buffer_flush_timeout: 0.003s}
            latency_in_micros: true
            downstream_auth_username: {inline_string: u}
            downstream_auth_passwords: [{inline_string: p}]
            custom_commands: [my.cmd]
            faults: [{fault_type: ERROR, fault_enabled: {default_value: {numerator: 10}}, commands: [get]}, {fault_enabled: {default_value: {numerator: 1}}, delay: 0.5s}]
            prefix_routes:
              case_insensitive: true
              routes:
              - {prefix: "a:", cluster: a, remove_prefix: true, read_command_policy: {cluster: ra}, request_mirror_policy: [{cluster: m, exclude_read_commands: true}]}
              catch_all_route: {cluster: rest}
            """, out IssueCollector issues)!;
        issues.Issues.ShouldBeEmpty();
        proxy.Codec.ShouldBe("redis");
        proxy.Redis.ShouldBe(new XRpcRedisSnapshot { HashTags = true, CustomCommands = proxy.Redis!.CustomCommands });
        proxy.Redis.CustomCommands.ShouldBe(["MY.CMD"]);
        proxy.LatencyInMicros.ShouldBeTrue();
        proxy.Upstream.MaxConnectsPerSecond.ShouldBe(9);
        proxy.Authentication!.Passwords.Length.ShouldBe(1);
        proxy.UnknownAsTcp.ShouldBeFalse();
        XRpcRouteSnapshot route = proxy.Routes.Current.ByKey("A:1"u8)!;
        route.ReadCluster.ShouldBe("ra");
        route.RemoveKeyPrefix.ShouldBeTrue();
        route.Policies.Timeout.ShouldBe(TimeSpan.FromSeconds(5));
        route.Policies.Mirrors.ShouldHaveSingleItem().ShouldBe(new XRpcMirrorSnapshot("m", Share.Everything, true));
        route.Policies.Faults[0].AbortMessage.ShouldBe("Fault Injected: Error");
        route.Policies.Faults[1].Delay.ShouldBe(TimeSpan.FromMilliseconds(500));
        proxy.Routes.Current.CatchAll!.Clusters[0].Cluster.ShouldBe("rest");
    }

    /// <summary>Envoy needs them said for what it does not know.</summary>
    [Fact]
    public void Decode_CustomCommandOfTheServersOwn_IsAWarning()
    {
        Decode(Least + "custom_commands: [my.cmd, LMPOP]\nprefix_routes: {catch_all_route: {cluster: c}}", out IssueCollector issues).ShouldNotBeNull();
        ConfigIssue issue = issues.Issues.ShouldHaveSingleItem();
        issue.Severity.ShouldBe(IssueSeverity.Warning);
        issue.ToString().ShouldContain("custom_commands[1]: 'LMPOP' is a command of the server's own");
    }

    [Theory]
    [InlineData("stat_prefix: s\nprefix_routes: {catch_all_route: {cluster: c}}", "settings.op_timeout: is required")]
    [InlineData(Least, "prefix_routes: a route or a catch_all_route is required")]
    [InlineData("stat_prefix: s\nsettings: {op_timeout: 5s, enable_redirection: true}\nprefix_routes: {catch_all_route: {cluster: c}}", "settings.enable_redirection: following MOVED and ASK")]
    [InlineData("stat_prefix: s\nsettings: {op_timeout: 5s, read_policy: REPLICA}\nprefix_routes: {catch_all_route: {cluster: c}}", "settings.read_policy: Replica needs Redis Cluster")]
    [InlineData(Least + "external_auth_provider: {}\nprefix_routes: {catch_all_route: {cluster: c}}", "external_auth_provider: is not supported")]
    [InlineData(Least + "downstream_auth_username: {inline_string: u}\nprefix_routes: {catch_all_route: {cluster: c}}", "downstream_auth_passwords: must not be empty")]
    [InlineData(Least + "prefix_routes: {routes: [{prefix: a, cluster: c, key_formatter: 'x%KEY%'}]}", "prefix_routes.routes[0].key_formatter: is not supported")]
    [InlineData(Least + "prefix_routes: {routes: [{prefix: a, cluster: c}, {prefix: a, cluster: d}]}", "prefix_routes.routes[1].prefix: 'a' stands in an earlier route too")]
    [InlineData(Least + "prefix_routes: {catch_all_route: {}}", "prefix_routes.catch_all_route.cluster: is required")]
    [InlineData("settings: {op_timeout: 5s}\nprefix_routes: {catch_all_route: {cluster: c}}", "stat_prefix: is required")]
    [InlineData(Least + "prefix_routes: {case_insensitive: true, routes: [{prefix: 'A:', cluster: c}, {prefix: 'a:', cluster: d}]}", "prefix_routes.routes[1].prefix: 'a:' stands in an earlier route too")]
    [InlineData(Least + "faults: [{fault_type: ERROR, fault_enabled: {}, commands: [set, gte]}]\nprefix_routes: {catch_all_route: {cluster: c}}", "faults[0].commands[1]: 'gte' is no method that the codec redis tells from others; did you mean 'get'?")]
    [InlineData(Least + "faults: [{}]\nprefix_routes: {catch_all_route: {cluster: c}}", "faults[0].fault_enabled: is required")]
    public void Decode_WhatIsNotHonoured_IsRefusedByName(string yaml, string expected)
    {
        Decode(yaml, out IssueCollector issues);
        issues.Issues.ShouldContain(issue => issue.ToString().Contains(expected), string.Join('\n', issues.Issues));
    }

    [Fact]
    public void Decode_PrefixOverTheBound_IsRefused()
    {
        Decode(Least + $"prefix_routes: {{routes: [{{prefix: {new string('a', 1000)}, cluster: c}}]}}", out IssueCollector fits);
        fits.HasErrors.ShouldBeFalse();
        Decode(Least + $"prefix_routes: {{routes: [{{prefix: {new string('a', 1001)}, cluster: c}}]}}", out IssueCollector issues);
        issues.Issues.ShouldContain(static issue => issue.ToString().Contains("prefix_routes.routes[0].prefix: has 1001 bytes; at most 1000 may be given"));
    }

    /// <summary>The first adds figures that are not there; the others say how redirections are followed, which are refused.</summary>
    [Theory]
    [InlineData("enable_command_stats: true")]
    [InlineData("max_upstream_unknown_connections: 1")]
    [InlineData("dns_cache_config: {name: n, dns_lookup_family: ALL}")]
    public void Decode_SettingWithoutEffect_IsTold(string setting)
    {
        Decode($"stat_prefix: s\nsettings: {{op_timeout: 5s, {setting}}}\nprefix_routes: {{catch_all_route: {{cluster: c}}}}", out IssueCollector issues);
        issues.HasErrors.ShouldBeFalse();
        issues.Issues.ShouldHaveSingleItem().ToString().ShouldContain($"settings.{setting.Split(':')[0]}: is not used by this proxy");
    }

    [Fact]
    public void Decode_PrefixesThatDifferInCase_AreTwoWhereCaseCounts()
    {
        Decode(Least + "prefix_routes: {routes: [{prefix: 'A:', cluster: c}, {prefix: 'a:', cluster: d}]}", out IssueCollector issues);
        issues.Issues.ShouldBeEmpty();
    }

    [Fact]
    public void Decode_Faults_ThoseOfCommandsComeFirst()
    {
        XRpcProxySnapshot proxy = Decode(
            Least + "faults: [{fault_type: ERROR, fault_enabled: {}}, {fault_type: ERROR, fault_enabled: {}, commands: [get]}, {fault_enabled: {}, delay: 0s}]\nprefix_routes: {catch_all_route: {cluster: c}}",
            out IssueCollector issues)!;
        issues.Issues.ShouldBeEmpty();
        XRpcPoliciesSnapshot policies = proxy.Routes.Current.CatchAll!.Policies;
        policies.FaultsAddUp.ShouldBeTrue();
        policies.Faults.Select(static fault => string.Join(' ', fault.Methods) + fault.AbortMessage).ShouldBe(["GETFault Injected: Error", "Fault Injected: Error", ""]);
    }

    private static XRpcProxySnapshot? Decode(string yaml, out IssueCollector issues)
    {
        (RedisProxy? message, issues) = Reading.Yaml<RedisProxy>(yaml);
        return RedisModel.Decode(message!, new DecodeScope(issues, ""));
    }
}
