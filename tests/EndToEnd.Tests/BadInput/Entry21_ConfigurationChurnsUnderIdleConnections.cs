using System.Net;
using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>
/// Entry 21: ten thousand idle connections while the configuration changes a hundred times a second; then the cluster under most of them
/// is deleted, and their listener with its log. Those of other listeners go on, and each of the others ends with one record.
/// </summary>
public sealed class Entry21_ConfigurationChurnsUnderIdleConnections : IDisposable
{
    // Together as many as a proxy holds unless told otherwise. Each relayed connection takes two descriptors of the proxy and two of the test; the usual hard limit is 20,000.
    private const int Kept = 3000, Deleted = 5000, Silent = 2000, Updates = 300;
    private const string ListenerType = "envoy.config.listener.v3.Listener", ClusterType = "envoy.config.cluster.v3.Cluster";
    private readonly Peer _peer = Peer.Banner("ready"), _other = Peer.Banner("other");
    private readonly Bootstrap _bootstrap = new();
    private readonly int[] _ports = [Bootstrap.FreePort(), Bootstrap.FreePort(), Bootstrap.FreePort(), Bootstrap.FreePort()];

    public void Dispose()
    {
        _peer.Dispose();
        _other.Dispose();
    }

    [Fact]
    public async Task HundredUpdatesASecond_ThenTheirClusterAndListenerGo_NobodyElseIsCut()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.SetCanonical("0", [
            Listener("kept", _ports[0], "kept"), Listener("deleted", _ports[1], "deleted"), Waiting("silent", _ports[2]),
            Cluster("kept"), Cluster("deleted"), XdsResources.Endpoints("kept", _peer.Address), XdsResources.Endpoints("deleted", _peer.Address)]);
        _bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        int sockets = await proxy.SocketsAtRestAsync();

        Client[] kept = await OpenAsync(_ports[0], Kept, "ready"), deleted = await OpenAsync(_ports[1], Deleted, "ready"), silent = await OpenAsync(_ports[2], Silent, "");
        await Patience.UntilAsync(async () => await proxy.StatAsync("meshl4.downstream_connections") == Kept + Deleted + Silent, "all are held", () => proxy.Said);
        await ChurnAsync(plane);
        (await proxy.StatAsync("meshl4.downstream_connections")).ShouldBe(Kept + Deleted + Silent, "an update that does not concern a connection cut it");

        plane.Change("deleted", [], (ClusterType, "deleted"));
        await Patience.UntilAsync(async () => !(await proxy.PageAsync("/clusters")).Contains("deleted::", StringComparison.Ordinal), "the cluster is gone", () => proxy.Said);
        plane.Change("gone", [], (ListenerType, "deleted"), (ListenerType, "silent"));
        await Patience.UntilAsync(async () => await proxy.StatAsync("meshl4.downstream_connections") == Kept, "theirs are drained", () => proxy.Said);

        foreach (Client client in kept.Where((_, i) => i % 50 == 0))
        {
            (await client.EchoAsync("still here")).ShouldBe("still here");
        }

        using (Client late = await Client.ConnectAsync(_ports[0]))
        {
            (await late.ReadAsync("ready")).ShouldBe("ready", "the endpoints of the last update");
        }

        await Patience.UntilAsync(() => proxy.Records().Count >= Deleted, "each has its record", () => $"{proxy.Records().Count}");
        IReadOnlyList<AccessRecord> records = proxy.Records();
        List<AccessRecord> ended = [.. records.Where(r => r.Listener == "deleted")];
        ended.Count.ShouldBe(Deleted);
        ended.Select(r => r.Direct).ShouldBeUnique();
        plane.Refusals.ShouldBeEmpty();
        (await proxy.StatAsync("meshl4.loop_faults")).ShouldBe(0);
        proxy.Said.ShouldNotContain("serve without endpoints", Case.Sensitive, "a cluster was given up for the wait of an earlier one of its name");
        Array.ForEach([.. kept, .. deleted, .. silent], client => client.Dispose());
        await proxy.ReturnsToAsync(sockets);
    }

    /// <summary>A hundred changes a second: endpoints under the open connections, and listeners with clusters of their own that come and go.</summary>
    private async Task ChurnAsync(ControlPlane plane)
    {
        for (int i = 1; i <= Updates; i++)
        {
            string side = "side" + (i % 10), before = "side" + ((i + 9) % 10);
            (string, string)[] removed = i == 1 ? [] : [(ListenerType, before), (ClusterType, before)];
            EndPoint[] endpoints = i % 2 == 0 ? [_peer.Address] : [_peer.Address, _other.Address];
            plane.Change(
                $"{i}", [Listener(side, _ports[3], side), Cluster(side), XdsResources.Endpoints(side, _other.Address), XdsResources.Endpoints("kept", endpoints), XdsResources.Endpoints("deleted", endpoints)], removed);
            await Task.Delay(10);
        }

        string last = "side" + (Updates % 10);
        await plane.EventAsync(
            e => e["type_url"]?.ToString().EndsWith(".ClusterLoadAssignment", StringComparison.Ordinal) == true
                && e["resource_names_subscribe"]?.AsArray().Any(name => (string?)name == last) == true,
            "the churn has arrived");
    }

    private static async Task<Client[]> OpenAsync(int port, int count, string banner)
    {
        var clients = new Client[count];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, _) =>
        {
            clients[i] = await Client.ConnectAsync(port);
            (await clients[i].ReadAsync(banner)).ShouldBe(banner);
        });
        return clients;
    }

    private JsonObject Listener(string name, int port, string cluster)
    {
        JsonObject listener = XdsResources.Listener(name, port, cluster);
        listener["filter_chains"]![0]!["filters"]![0]!["typed_config"]!["access_log"] = new JsonArray(new JsonObject
        {
            ["name"] = "file",
            ["typed_config"] = new JsonObject
            {
                ["@type"] = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog", ["path"] = _bootstrap.LogPath,
                ["log_format"] = new JsonObject
                {
                    ["json_format"] = new JsonObject
                    {
                        ["listener"] = "%MESHL4_LISTENER%", ["flags"] = "%RESPONSE_FLAGS%", ["by"] = "%MESHL4_ENDED_BY%", ["details"] = "%CONNECTION_TERMINATION_DETAILS%",
                        ["received"] = "%BYTES_RECEIVED%", ["sent"] = "%BYTES_SENT%", ["remote"] = "%DOWNSTREAM_REMOTE_ADDRESS%",
                        ["direct"] = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", ["local"] = "%DOWNSTREAM_LOCAL_ADDRESS%",
                    },
                },
            },
        });
        return listener;
    }

    /// <summary>A listener whose connections wait for a first byte for ever.</summary>
    private static JsonObject Waiting(string name, int port)
    {
        JsonObject listener = XdsResources.Listener(name, port, "kept");
        listener["listener_filters_timeout"] = "0s";
        listener["listener_filters"] = new JsonArray(new JsonObject
        {
            ["name"] = "tls", ["typed_config"] = new JsonObject { ["@type"] = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector" },
        });
        return listener;
    }

    private static JsonObject Cluster(string name)
    {
        JsonObject cluster = XdsResources.EdsCluster(name);
        cluster["eds_cluster_config"]!["eds_config"]!["initial_fetch_timeout"] = "2s"; // runs out while the configuration changes
        cluster["circuit_breakers"] = new JsonObject { ["thresholds"] = new JsonArray(new JsonObject { ["max_connections"] = 100_000 }) };
        return cluster;
    }
}
