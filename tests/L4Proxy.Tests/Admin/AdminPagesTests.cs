using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using MeshL4.L4Proxy.Admin;
using MeshL4.L4Proxy.Config.Bootstrap;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Admin;

public sealed class AdminPagesTests : AdminFixture
{
    [Theory]
    [InlineData((int)ServerState.Live, 200, "LIVE\n")]
    [InlineData((int)ServerState.PreInitializing, 503, "PRE_INITIALIZING\n")]
    [InlineData((int)ServerState.Initializing, 503, "INITIALIZING\n")]
    [InlineData((int)ServerState.Draining, 503, "DRAINING\n")]
    public async Task Ready_State_GivesNameAndStatus(int state, int status, string text)
    {
        State = (ServerState)state;

        HttpResponseMessage answer = await GetAsync("/ready");

        ((int)answer.StatusCode).ShouldBe(status);
        (await answer.Content.ReadAsStringAsync()).ShouldBe(text);
        ((int)(await GetAsync(Server.Readiness, "/healthz/ready")).StatusCode).ShouldBe(status);
    }

    [Fact]
    public async Task HealthzReady_DataPathStuck_IsUnavailable()
    {
        DataPathAnswers = false;

        (await GetAsync(Server.Readiness, "/healthz/ready")).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await GetAsync("/ready")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task PublicPorts_OtherPages_AreNotFound()
    {
        foreach (string path in (string[])["/", "/config_dump", "/ready", "/quitquitquit", "/stats"])
        {
            (await GetAsync(Server.Readiness, path)).StatusCode.ShouldBe(HttpStatusCode.NotFound, path);
            (await GetAsync(Server.Prometheus, path)).StatusCode.ShouldBe(HttpStatusCode.NotFound, path);
        }

        (await GetAsync(Server.Readiness, "/stats/prometheus")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await GetAsync(Server.Prometheus, "/stats/prometheus")).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Help_EveryPage_IsListed()
    {
        string help = await TextAsync("/help");

        help.ShouldBe(await TextAsync("/"));
        foreach (string path in (string[])["/clusters", "/config_dump", "/listeners", "/logging (POST)", "/memory", "/ready", "/stats/prometheus"])
        {
            help.ShouldContain($"  {path}: ");
        }

        (await GetAsync("/nowhere")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Stats_Text_IsNameColonValue()
    {
        string text = await TextAsync("/stats");

        text.ShouldContain("cluster.outbound|6379||redis.upstream_cx_total: 11\n");
        text.ShouldContain("server.total_connections: 5\n");
        text.ShouldContain("server.state: 0\n");
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldAllBe(static line => Regex.IsMatch(line, @"^\S+: \d+$"));
    }

    [Fact]
    public async Task Stats_FilterAndUsedOnly_Restrict()
    {
        (await TextAsync("/stats?filter=upstream_cx_to.al$")).ShouldBe("cluster.outbound|6379||redis.upstream_cx_total: 11\n");
        (await TextAsync("/stats?usedonly&filter=upstream_cx_overflow")).ShouldBe("");
        (await GetAsync("/stats?filter=(")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await GetAsync("/stats?filter=(a)%5C1")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Stats_Json_HoldsTheSame()
    {
        JsonElement stat = (await JsonAsync("/stats?format=json&filter=upstream_cx_total")).GetProperty("stats")[0];

        stat.GetProperty("name").GetString().ShouldBe("cluster.outbound|6379||redis.upstream_cx_total");
        stat.GetProperty("value").GetInt64().ShouldBe(11);
    }

    [Theory]
    [InlineData("/stats/prometheus")]
    [InlineData("/metrics")]
    [InlineData("/stats?format=prometheus")]
    public async Task Prometheus_Text_GroupsNamesUnderOneType(string path)
    {
        string text = await TextAsync(path);

        text.ShouldContain("# TYPE envoy_cluster_upstream_cx_total counter\nenvoy_cluster_upstream_cx_total{envoy_cluster_name=\"outbound|6379||redis\"} 11\n");
        text.ShouldContain("# TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n");
        string[] types = [.. text.Split('\n').Where(static line => line.StartsWith("# TYPE", StringComparison.Ordinal))];
        types.Distinct().Count().ShouldBe(types.Length);
    }

    [Fact]
    public async Task Clusters_Text_HasEnvoysShape()
    {
        string text = await TextAsync("/clusters");

        foreach (string line in (string[])
            [
                "outbound|6379||redis::observability_name::outbound|6379||redis", "outbound|6379||redis::default_priority::max_connections::1024",
                "outbound|6379||redis::10.1.0.9:6379::cx_active::1", "outbound|6379||redis::10.1.0.9:6379::hostname::redis-0",
                "outbound|6379||redis::10.1.0.9:6379::health_flags::/failed_eds_health", "outbound|6379||redis::10.1.0.9:6379::weight::3",
            ])
        {
            text.Split('\n').ShouldContain(line);
        }
    }

    [Fact]
    public async Task Clusters_Json_HasHostStatus()
    {
        JsonElement host = (await JsonAsync("/clusters?format=json")).GetProperty("cluster_statuses")[0].GetProperty("host_statuses")[0];

        host.GetProperty("address").GetProperty("socket_address").GetProperty("port_value").GetInt32().ShouldBe(6379);
        host.GetProperty("health_status").GetProperty("eds_health_status").GetString().ShouldBe("UNHEALTHY");
    }

    [Fact]
    public async Task Listeners_TextAndJson_ShowBoundAddress()
    {
        (await TextAsync("/listeners")).ShouldBe("virtualOutbound::0.0.0.0:15001\nsix::[::1]:1\n");
        JsonElement first = (await JsonAsync("/listeners?format=json")).GetProperty("listener_statuses")[0];
        first.GetProperty("local_address").GetProperty("socket_address").GetProperty("address").GetString().ShouldBe("0.0.0.0");
    }

    [Fact]
    public async Task ServerInfoAndMemory_Json_HoldTheKnownFields()
    {
        JsonElement info = await JsonAsync("/server_info");
        info.GetProperty("state").GetString().ShouldBe("LIVE");
        info.GetProperty("node").GetProperty("id").GetString().ShouldBe("n1");
        info.GetProperty("uptime_current_epoch").GetString()!.ShouldMatch(@"^\d+s$");
        JsonElement memory = await JsonAsync("/memory");
        long.Parse(memory.GetProperty("total_physical_bytes").GetString()!).ShouldBeGreaterThan(1 << 20);
        memory.GetProperty("resources").ValueKind.ShouldBe(JsonValueKind.Array);
        memory.GetProperty("loops").ValueKind.ShouldBe(JsonValueKind.Array);
        memory.GetProperty("collector").GetProperty("collections").GetArrayLength().ShouldBe(GC.MaxGeneration + 1);
    }

    [Fact]
    public async Task ConfigDump_Parameters_ArePassedOn()
    {
        JsonElement dump = await JsonAsync("/config_dump?resource=dynamic_listeners&name_regex=a.*");

        dump.GetProperty("resource").GetString().ShouldBe("dynamic_listeners");
        dump.GetProperty("name_regex").GetString().ShouldBe("a.*");
        (await GetAsync("/config_dump?name_regex=(")).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task StartAsync_PortTaken_NamesTheAddress()
    {
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        IPEndPoint port = (IPEndPoint)taken.LocalEndPoint!;
        AdminContext context = Context() with { Bootstrap = new BootstrapSnapshot { Admin = port, Readiness = null, Prometheus = null } };

        IOException error = await Should.ThrowAsync<IOException>(() => AdminServer.StartAsync(context, NullLogger.Instance));

        error.Message.ShouldContain(port.ToString());
    }

    [Fact]
    public async Task StartAsync_EverythingOff_OpensNothing()
    {
        AdminContext context = Context() with { Bootstrap = new BootstrapSnapshot { Readiness = null, Prometheus = null } };

        await using AdminServer server = await AdminServer.StartAsync(context, NullLogger.Instance);

        (server.Admin ?? server.Readiness ?? server.Prometheus).ShouldBeNull();
    }
}
