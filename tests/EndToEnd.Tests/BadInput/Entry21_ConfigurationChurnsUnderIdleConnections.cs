using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>
/// Entry 21: ten thousand idle connections while the configuration changes a hundred times a second for twenty seconds: endpoints and
/// clusters under them, another chain of their listener, listeners that come and go. Then the cluster under most of them is deleted, and at
/// last their listener with its log. Nobody is cut but those whose listener goes, and each of them ends with one record.
/// </summary>
[Collection(Alone.Name)]
public sealed class Entry21_ConfigurationChurnsUnderIdleConnections : IDisposable
{
    // Together as many as a proxy holds unless told otherwise. Each relayed connection takes two descriptors of the proxy and two of the test; the usual hard limit is 20,000.
    private const int Kept = 3000, Deleted = 5000, Silent = 2000, All = Kept + Deleted + Silent, Updates = 2000;

    /// <summary>What the collector may leave behind. Two thousand updates that each kept 16 KB would be more.</summary>
    private const long SlackBytes = 32L << 20;
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
        Client[] all = [.. kept, .. deleted, .. silent];
        await HeldAsync(proxy, All);
        (long resident, string resources) = await MemoryAsync(proxy);
        await ChurnAsync(plane, proxy);
        await NobodyIsCutAsync(proxy, all);
        await Patience.UntilAsync(async () => (await MemoryAsync(proxy)).Resources == resources, "as many resources are held as before", () => resources);
        long now = 0;
        await Patience.UntilAsync(
            async () => (now = (await MemoryAsync(proxy)).Resident) < resident + SlackBytes, "memory is what it was", () => $"resident before: {resident}, now: {now}");

        plane.Change("deleted", [], (ClusterType, "deleted"));
        await Patience.UntilAsync(async () => !(await proxy.PageAsync("/clusters")).Contains("deleted::", StringComparison.Ordinal), "the cluster is gone", () => proxy.Said);
        await NobodyIsCutAsync(proxy, all);
        await AnswerAsync(kept);
        await AnswerAsync(deleted);
        deleted[0].Dispose(); // the proxy holds no more than there are
        all = [.. all.Where(client => client != deleted[0])];
        await HeldAsync(proxy, All - 1);
        await NobodyIsLetInAsync(proxy);
        await NobodyIsCutAsync(proxy, all);

        plane.Change("gone", [], (ListenerType, "deleted"), (ListenerType, "silent"));
        await HeldAsync(proxy, Kept);
        await AnswerAsync(kept);
        using (Client late = await Client.ConnectAsync(_ports[0]))
        {
            (await late.ReadAsync("ready")).ShouldBe("ready", "the endpoints of the last update");
        }

        await EachHasItsRecordAsync(proxy, deleted);
        plane.Refusals.ShouldBeEmpty();
        (await proxy.StatAsync("meshl4.loop_faults")).ShouldBe(0);
        proxy.Said.ShouldNotContain("serve without endpoints", Case.Sensitive, "a cluster was given up for the wait of an earlier one of its name");
        Array.ForEach(all, client => client.Dispose());
        await proxy.ReturnsToAsync(sockets);
    }

    /// <summary>
    /// A hundred changes a second: the endpoints that open connections go to leave and come back, their cluster has other settings, their listener
    /// another chain beside theirs, and listeners with clusters of their own come and go.
    /// </summary>
    private async Task ChurnAsync(ControlPlane plane, ProxyProcess proxy)
    {
        EndPoint[][] sets = [[_peer.Address], [_peer.Address, _other.Address], [_other.Address]];
        for (int i = 1; i <= Updates; i++)
        {
            string side = "side" + (i % 10), before = "side" + ((i + 9) % 10);
            (string, string)[] removed = i == 1 ? [] : [(ListenerType, before), (ClusterType, before)];
            plane.Change(
                $"{i}",
                [
                    Listener(side, _ports[3], side), WithAnotherChain(Listener("kept", _ports[0], "kept"), i), Cluster(side), Cluster("kept", i % 5), Cluster("deleted", i % 5),
                    XdsResources.Endpoints(side, _other.Address), XdsResources.Endpoints("kept", sets[i % 3]), XdsResources.Endpoints("deleted", sets[i % 3])
                ],
                removed);
            await Task.Delay(10);
        }

        string last = "side" + (Updates % 10);
        plane.Change(
            "last", [Listener("kept", _ports[0], "kept"), Cluster("kept"), Cluster("deleted"), XdsResources.Endpoints("kept", _peer.Address), XdsResources.Endpoints("deleted", _peer.Address)],
            (ListenerType, last), (ClusterType, last));
        await Patience.UntilAsync(
            async () => await proxy.PageAsync("/clusters") is { } page && !page.Contains(last + "::", StringComparison.Ordinal)
                && !page.Contains(_other.Address.ToString()!, StringComparison.Ordinal),
            "the churn has arrived", () => proxy.Said);
    }

    /// <summary>A new connection to a listener whose cluster is gone is closed and counted.</summary>
    private async Task NobodyIsLetInAsync(ProxyProcess proxy)
    {
        try
        {
            using Client refused = await Client.ConnectAsync(_ports[1]);
            (await refused.ReadToEndAsync()).Bytes.ShouldBeEmpty();
        }
        catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
        {
            // The proxy was faster than the return from connect.
        }

        List<AccessRecord> refusals = [];
        await Patience.UntilAsync(() => (refusals = [.. proxy.Records().Where(static record => record.Flags == "NC")]).Count > 0, "the refusal has its record", () => proxy.Said);
        refusals.ShouldHaveSingleItem().ShouldSatisfyAllConditions(one => one.Listener.ShouldBe("deleted"), one => one.Details.ShouldBe("cluster_not_found"));
        (await proxy.StatAsync("tcp.deleted.downstream_cx_no_route")).ShouldBe(1);
    }

    private static Task HeldAsync(ProxyProcess proxy, int connections)
    {
        long held = -1;
        return Patience.UntilAsync(
            async () => (held = await proxy.StatAsync("meshl4.downstream_connections")) == connections, $"{connections} are held", () => $"{held}\n{proxy.Said}");
    }

    /// <summary>Nothing is to be read at any of them, neither bytes nor an end.</summary>
    private static async Task NobodyIsCutAsync(ProxyProcess proxy, Client[] clients)
    {
        clients.Count(static client => !client.IsSilent).ShouldBe(0, "an update that does not concern a connection cut it");
        await HeldAsync(proxy, clients.Length);
    }

    private static async Task AnswerAsync(Client[] clients)
    {
        foreach (Client client in clients.Where((_, i) => i % 50 == 0))
        {
            (await client.EchoAsync("still here")).ShouldBe("still here");
        }
    }

    private static Task EachHasItsRecordAsync(ProxyProcess proxy, Client[] clients)
    {
        // Others have records too, so their number alone does not tell that the last of these is written.
        int without = -1;
        return Patience.UntilAsync(
            () =>
            {
                ILookup<string, AccessRecord> records = proxy.Records().ToLookup(static record => record.Direct);
                return (without = clients.Count(client => records[client.Address.ToString()!].Count() != 1)) == 0;
            },
            "each has one record", () => $"{without} have not");
    }

    /// <summary>Bytes resident, and how many resources of each type are held.</summary>
    private static async Task<(long Resident, string Resources)> MemoryAsync(ProxyProcess proxy)
    {
        JsonNode memory = JsonNode.Parse(await proxy.PageAsync("/memory"))!;
        return (
            long.Parse((string)memory["total_physical_bytes"]!, System.Globalization.CultureInfo.InvariantCulture),
            string.Join(' ', memory["resources"]!.AsArray().Select(static one => $"{one!["type_url"]}={one["count"]}").Order(StringComparer.Ordinal)));
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

    /// <summary>A chain for connections that never come, another one with each <paramref name="update"/>.</summary>
    private static JsonObject WithAnotherChain(JsonObject listener, int update)
    {
        JsonObject other = (JsonObject)listener["filter_chains"]![0]!.DeepClone();
        (other["name"], other["filter_chain_match"]) = ("other", new JsonObject { ["destination_port"] = update });
        listener["filter_chains"]!.AsArray().Add(other);
        return listener;
    }

    private static JsonObject Cluster(string name, int more = 0)
    {
        JsonObject cluster = XdsResources.EdsCluster(name);
        cluster["connect_timeout"] = $"{5 + more}s";
        cluster["eds_cluster_config"]!["eds_config"]!["initial_fetch_timeout"] = "8s"; // runs out while the configuration changes, and is more than a server that stands still for seconds needs
        cluster["circuit_breakers"] = new JsonObject { ["thresholds"] = new JsonArray(new JsonObject { ["max_connections"] = 100_000 }) };
        return cluster;
    }
}
