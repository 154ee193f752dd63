using System.Text.Json.Nodes;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.EndToEnd.Tests.Istio;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>
/// A mesh of a thousand services, told as istiod tells it (delta streams with wildcards, endpoints on demand, pushes by type, late and
/// together) over the Unix socket where Istio's agent has it; applications in the pod know nothing of it.
/// </summary>
public sealed class IstioReplayTests : IAsyncLifetime
{
    private const int Services = 1000;
    private readonly TempFolder _folder = new();
    private readonly Pod _pod = new();
    private readonly IstioWorld _world = new();
    private readonly Backend[] _backends;
    private ControlPlane _plane = null!;

    public IstioReplayTests() => _backends = [.. Enumerable.Range(0, 4).Select(i => new Backend($"b{i}", _pod.Outside, 9100 + i, address: "0.0.0.0"))];

    public async Task InitializeAsync()
    {
        string socket = _folder.At("XDS");
        _plane = await ControlPlane.StartAsync("unix:" + socket);
        Run.Must("chmod", "0777", socket); // the proxy is user 1337
        _plane.Tell(new JsonObject { ["do"] = "istiod", ["debounce"] = 100 });
        _plane.SetCanonical("1", [.. _world.Base(), .. Enumerable.Range(0, Services).SelectMany(i => _world.Service(i, BackendOf(i)))]);
        _pod.Exec("ip", "route", "add", "10.97.0.0/16", "via", Pod.OutsideIp);
        Pod.In(_pod.Outside, () => Run.Must("ip", "route", "add", "local", "10.97.0.0/16", "dev", "lo")); // on the services' addresses nobody listens
        _pod.Init("-b", "*", "-i", "*");
    }

    public async Task DisposeAsync()
    {
        await _plane.DisposeAsync();
        foreach (Backend backend in _backends)
        {
            backend.Dispose();
        }

        _pod.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void ThousandServices_CarryPlainTraffic_EachToItsOwnEndpoints()
    {
        using Sidecar proxy = Start();
        for (int i = 0; i < Services; i += 23)
        {
            FromPod(i).ShouldBe($"b{i % 4} x", $"service {i}");
        }

        proxy.Logged($"cluster={IstioWorld.ClusterName(23)} ").ShouldContain($"local={IstioWorld.Address(23)}:9000 ");
        using Backend other = new("other", _pod.Outside, 7000, address: "0.0.0.0");
        Call.Ask(7000, "x", Pod.OutsideIp, _pod.Name).ShouldBe("other x");
        proxy.Logged("chain=virtualOutbound-catchall-tcp").ShouldContain("cluster=PassthroughCluster ");
        using Backend app = new("app", _pod.Name, 7100, address: "0.0.0.0");
        Call.Ask(7100, "x", Pod.Ip, _pod.Outside).ShouldBe("app x");
        proxy.Logged("chain=0.0.0.0_7100 ").ShouldContain("cluster=inbound|7100|| ");
        Call.Ask(15001, "x", Pod.OutsideIp, _pod.Name).ShouldBeNull("the black hole");

        _plane.Refusals.ShouldBeEmpty();
        string[] Subscribed() => [.. _plane.Requests(".ClusterLoadAssignment").SelectMany(r => r["resource_names_subscribe"]?.AsArray() ?? []).Select(n => (string)n!)];
        Wait.Until(() => Subscribed().Length >= Services + 3, () => $"{Subscribed().Length} names");
        Subscribed().ShouldBeUnique();
        Subscribed().Length.ShouldBe(Services + 3, "every EDS cluster, and nothing else");
    }

    [Fact]
    public void LiveUpdates_ScaleAddAndRemoveServices_AndCutNobody()
    {
        using Sidecar proxy = Start();
        using Call held = Call.To(9000, IstioWorld.Address(7), _pod.Name), bystander = Call.To(9000, IstioWorld.Address(500), _pod.Name);
        held.Ask("x").ShouldBe("b3 x");
        bystander.Ask("x").ShouldBe("b0 x");

        _plane.Change("2", [_world.Endpoints(7, 9100)]);
        Wait.Until(() => FromPod(7) == "b0 x", () => Failures(proxy));
        held.Ask("again").ShouldBe("b3 again", "an endpoint that leaves takes no open connection with it");

        for (int i = 1; i <= 30; i++)
        {
            _plane.Change($"3.{i}", [_world.Endpoints(8, [.. Enumerable.Range(0, (i % 3) + 1).Select(n => 9100 + n)]), .. _world.Service(Services + i, 9100)]);
        }

        _plane.Change("4", [_world.Endpoints(8, 9102)], (IstioWorld.ListenerType, IstioWorld.ListenerName(9)), (IstioWorld.ClusterType, IstioWorld.ClusterName(9)),
            (IstioWorld.EndpointsType, IstioWorld.ClusterName(9)));
        Wait.Until(() => FromPod(Services + 30) == "b0 x", () => Failures(proxy));
        Wait.Until(() => FromPod(8) == "b2 x", () => Failures(proxy));
        Wait.Until(() => FromPod(9) is null && PassedOn(9), "nobody listens at its address, and a call is to go there");
        Wait.Until(() => !proxy.Get("/clusters").Contains(IstioWorld.ClusterName(9) + "::", StringComparison.Ordinal), () => "the cluster of a service that is gone is still there");

        held.Ask("x").ShouldBe("b3 x");
        bystander.Ask("x").ShouldBe("b0 x");
        _plane.Refusals.ShouldBeEmpty();

        bool PassedOn(int service) => proxy.LoggedLines(0, $"local={IstioWorld.Address(service)}:9000 ").Any(static line => line.Contains("chain=virtualOutbound-catchall-tcp", StringComparison.Ordinal));
    }

    [Fact]
    public async Task StreamThatComesBack_IsToldEverythingAgain_AndNobodyNotices()
    {
        using Sidecar proxy = Start();
        using Call held = Call.To(9000, IstioWorld.Address(7), _pod.Name);
        held.Ask("x").ShouldBe("b3 x");
        long swaps = proxy.Stat("listener_manager.lds.update_success");
        _plane.Tell(new JsonObject { ["do"] = "end" });
        await Patience.UntilAsync(() => _plane.Events.Count(e => (string?)e["event"] == "open") == 2, "a second stream", () => Failures(proxy));
        Wait.Until(() => proxy.Stat("listener_manager.lds.update_success") > swaps, () => Failures(proxy));

        held.Ask("x").ShouldBe("b3 x");
        FromPod(999).ShouldBe("b3 x");
        JsonNode again = await _plane.RequestAsync(
            ".ClusterLoadAssignment", static r => (int)r["stream"]! == 2 && r["resource_names_subscribe"] is not null, "the endpoints are asked for again");
        again["resource_names_subscribe"]!.AsArray().Count.ShouldBe(Services + 3, "a new stream has all names at once");
        again["initial_resource_versions"]!.AsObject().Count.ShouldBe(Services + 3);
        Wait.Until(() => proxy.Stat("meshl4.downstream_connections") == 1, "more than the one that is held");
        _plane.Refusals.ShouldBeEmpty();
    }

    private string Failures(Sidecar proxy)
        => string.Join('\n', _plane.Refusals) + string.Join('\n', _plane.Events.Where(e => (string?)e["event"] is "error" or "closed")) + '\n' + proxy.Log;

    private static int BackendOf(int service) => 9100 + (service % 4);

    private string? FromPod(int service) => Call.Ask(9000, "x", IstioWorld.Address(service), _pod.Name);

    private Sidecar Start()
    {
        string socket = _folder.At("XDS");
        string boot = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Istio", "bootstrap.yaml"))
            .Replace("  lds_config: {path_config_source: {path: $DIR/lds.yaml}, resource_api_version: V3}\n", "  lds_config: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}\n", StringComparison.Ordinal)
            .Replace("  cds_config: {path_config_source: {path: $DIR/cds.yaml}, resource_api_version: V3}\n",
                "  cds_config: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}\n"
                + "  ads_config: {api_type: DELTA_GRPC, transport_api_version: V3, set_node_on_first_message_only: true, grpc_services: [{envoy_grpc: {cluster_name: xds-grpc}}]}\n", StringComparison.Ordinal)
            .Replace("  - name: sds-grpc\n",
                $"  - {{name: xds-grpc, type: STATIC, connect_timeout: 10s, load_assignment: {{cluster_name: xds-grpc, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{pipe: {{path: {socket}}}}}}}}}]}}]}}}}\n  - name: sds-grpc\n", StringComparison.Ordinal);
        boot.ShouldNotContain("path_config_source");
        _plane.Events.Where(e => (string?)e["event"] == "error").ShouldBeEmpty();
        return Sidecar.Start(boot, 15000, _pod.Name);
    }
}
