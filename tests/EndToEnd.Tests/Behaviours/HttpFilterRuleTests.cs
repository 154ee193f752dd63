using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>A chain whose HTTP filters guard requests is accepted and refuses its own connections; what stands beside it works.</summary>
public sealed class HttpFilterRuleTests : IDisposable
{
    private const string Http = "type.googleapis.com/envoy.extensions.filters.http.";
    private readonly Backend _backend = new("app");
    private readonly int _port = Ports.Free();

    public void Dispose() => _backend.Dispose();

    [Theory]
    [InlineData("{name: envoy.filters.http.jwt_authn}")]
    [InlineData("{name: mine, typed_config: {'@type': " + Http + "rbac.v3.RBAC}}")]
    [InlineData("{name: plugin, config_discovery: {config_source: {ads: {}}, type_urls: [" + Http + "wasm.v3.Wasm, " + Http + "rbac.v3.RBAC]}}")]
    public void GuardedChain_MatchesAndCloses_NeverFallsToALooserOne(string guard)
    {
        string chains = Boot.Chain(Hcm(guard, Router), "application_protocols: [http/1.1]", "guarded") + ", "
            + Boot.Chain(Hcm(Router, guard), "application_protocols: [h2c]", "guarded too") + ", " + Boot.Chain(Boot.Tcp("c"), "", "any");
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, chains, $", listener_filters: [{Boot.Inspector("http_inspector")}]").With(Boot.Cluster("c", [$"127.0.0.1:{_backend.Port}"]))
            .HandOff("c", "V2"));
        Call.Ask(_port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").ShouldBeNull();
        proxy.Logged("chain=guarded ").ShouldContain("flags=NR details=http_filter_unsupported ");
        proxy.Stat($"listener.127.0.0.1_{_port}.http_filter_unsupported").ShouldBe(1);
        _backend.Calls.ShouldBe(0, "neither the engine nor a looser chain met the request");

        Call.Ask(_port, "x").ShouldBe("app x");
        string dump = proxy.Get("/config_dump");
        dump.ShouldContain("meshl4_http_filter_unsupported");
        dump.ShouldContain("filter_chains[0].filters[0].typed_config.http_filters[0]");
        dump.ShouldContain("filter_chains[1].filters[0].typed_config.http_filters[1]");
        int Warnings() => proxy.Log.Split('\n').Count(static line => line.Contains("guards requests", StringComparison.Ordinal));
        Wait.Until(() => Warnings() > 0, () => proxy.Log);
        Warnings().ShouldBe(1);
    }

    [Fact]
    public void GuardThatIsSwitchedOff_IsNone()
    {
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain(Hcm("{name: envoy.filters.http.jwt_authn, disabled: true}", Router)))
            .With(Boot.Cluster("c", [$"127.0.0.1:{_backend.Port}"])).HandOff("c", "NONE"));
        Call.Ask(_port, "x").ShouldBe("app x");
        proxy.Get("/config_dump").ShouldNotContain("meshl4_http_filter_unsupported");
    }

    private const string Router = "{name: envoy.filters.http.router, typed_config: {'@type': " + Http + "router.v3.Router}}";

    private static string Hcm(params string[] filters) =>
        $"{{name: hcm, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: h, http_filters: [{string.Join(", ", filters)}], {Boot.Log}}}}}";
}
