using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A client that stays connected while the configuration changes often.</summary>
public sealed class RedisUpdateTests
{
    private const int Updates = 60;

    /// <summary>Each version of the cluster has a ring of some megabytes: kept, all of them would not fit into the heap there is.</summary>
    [Fact]
    public async Task Client_OfServersThatShareTheKeys_KeepsNoConfigurationOfBefore()
    {
        using TcpListener one = RedisStickyTests.Serve("server");
        using TcpListener two = RedisStickyTests.Serve("server");
        var bootstrap = new Bootstrap();
        string clusters = Path.Combine(bootstrap.Folder, "cds.yaml");
        void Change(int version)
        {
            string Endpoint(TcpListener server) =>
                $"{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {((IPEndPoint)server.LocalEndpoint).Port}}}}}}}, load_balancing_weight: {version + 1}}}";
            File.WriteAllText(clusters + ".new", "resources: [{'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: ring, type: STATIC, connect_timeout: 10s, lb_policy: RING_HASH, "
                + $"ring_hash_lb_config: {{minimum_ring_size: 262144}}, circuit_breakers: {{thresholds: [{{max_connections: {1000 + version}}}]}}, "
                + $"load_assignment: {{cluster_name: ring, endpoints: [{{lb_endpoints: [{Endpoint(one)}, {Endpoint(two)}]}}]}}}}]");
            File.Move(clusters + ".new", clusters, overwrite: true);
        }

        Change(0);
        bootstrap.Dynamic($"cds_config: {{path_config_source: {{path: '{clusters}'}}}}");
        int port = bootstrap.Listener("in", Bootstrap.RedisProxy("ring", "30s"));
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap, "env", "DOTNET_GCHeapHardLimit=0x4000000");
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        using var answers = new StreamReader(client.GetStream(), Encoding.ASCII);
        for (int version = 1; version <= Updates; version++)
        {
            Change(version);
            await Patience.UntilAsync(
                async () => (await proxy.PageAsync("/clusters")).Contains($"ring::default_priority::max_connections::{1000 + version}", StringComparison.Ordinal),
                $"update {version} runs",
                () => proxy.Said);
            await client.GetStream().WriteAsync("GET k\r\n"u8.ToArray());
            (await answers.ReadLineAsync()).ShouldBe("+server", proxy.Said);
        }
    }
}
