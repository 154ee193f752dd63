using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>What asks for TLS is accepted and fails closed; what beside it does not, works.</summary>
public sealed class TlsRuleTests : IDisposable
{
    private const string Tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.";
    private const string Downstream = "transport_socket: {name: envoy.transport_sockets.tls, typed_config: {'@type': " + Tls + "DownstreamTlsContext, require_client_certificate: true}}";
    private const string Upstream = "transport_socket: {name: envoy.transport_sockets.tls, typed_config: {'@type': " + Tls + "UpstreamTlsContext, sni: a}}";
    private const string AutoTls = ", transport_socket_matches: [{name: tlsMode-istio, match: {tlsMode: istio}, " + Upstream + "}, "
        + "{name: tlsMode-disabled, match: {}, transport_socket: {name: envoy.transport_sockets.raw_buffer, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}]";

    private readonly Backend _plain = new("plain");
    private readonly Backend _secured = new("secured");
    private readonly int _port = Ports.Free();

    public void Dispose()
    {
        _plain.Dispose();
        _secured.Dispose();
    }

    private static string Endpoint(Backend backend, string more = "") =>
        $"{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {backend.Port}}}}}}}{more}}}";

    private const string WithTls = ", metadata: {filter_metadata: {envoy.transport_socket_match: {tlsMode: istio}}}";

    private static string Cluster(string more, params string[] endpoints) =>
        $"{{'@type': x, name: c, type: STATIC, connect_timeout: 5s, load_assignment: {{cluster_name: c, endpoints: [{{lb_endpoints: [{string.Join(", ", endpoints)}]}}]}}{more}}}";

    [Fact]
    public async Task TlsChain_MatchesAndCloses_NeverFallsToALooserOne()
    {
        string chains = $"{{name: mtls, {Downstream}, filters: [{Boot.Tcp("c")}], filter_chain_match: {{transport_protocol: tls, application_protocols: [istio]}}}}, "
            + Boot.Chain(Boot.Tcp("c"), "transport_protocol: tls", "passed") + ", " + Boot.Chain(Boot.Tcp("c"), "", "any");
        using Peer tls = Peer.Tls("site", "h2");
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, chains, $", listener_filters: [{Boot.Inspector("tls_inspector")}]").With(Boot.Cluster("c", [$"127.0.0.1:{tls.Port}"])));
        using (Call call = Call.To(_port))
        {
            await Should.ThrowAsync<IOException>(() => call.TlsAsync("a", "istio"));
        }

        proxy.Logged("chain=mtls ").ShouldContain("details=tls_unsupported ");
        proxy.Stat($"listener.127.0.0.1_{_port}.tls_unsupported").ShouldBe(1);
        using (Call call = Call.To(_port))
        {
            await using System.Net.Security.SslStream secured = await call.TlsAsync("a", "h2"); // not Istio's: passed on untouched
        }

        proxy.Logged("chain=passed ");
        string dump = proxy.Get("/config_dump");
        dump.ShouldContain("meshl4_tls_unsupported");
        dump.ShouldContain("filter_chains[0].transport_socket");
        proxy.Tells("TLS is not supported");
        proxy.Log.Split('\n').Count(static line => line.Contains("TLS is not supported", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public void SocketMatches_EndpointsWithRawBufferWork_ThoseWithTlsAreNotUsed()
    {
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain(Boot.Tcp("c"))).With(Cluster(AutoTls, Endpoint(_secured, WithTls), Endpoint(_plain))));
        for (int i = 0; i < 10; i++)
        {
            Call.Ask(_port, "x").ShouldBe("plain x");
        }

        _secured.Calls.ShouldBe(0);
        proxy.Get("/config_dump").ShouldContain("transport_socket_matches[0].transport_socket");
    }

    [Fact]
    public void SocketMatches_EveryEndpointSelectsTls_EndsWithUfAndIsCounted()
    {
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain(Boot.Tcp("c"))).With(Cluster(AutoTls, Endpoint(_secured, WithTls))));
        Call.Ask(_port, "x").ShouldBeNull();
        proxy.Logged("details=tls_unsupported ").ShouldContain("flags=UF ");
        proxy.Stat("cluster.c.upstream_cx_tls_unsupported").ShouldBe(1);
        _secured.Calls.ShouldBe(0);
    }

    [Fact]
    public void OnlyTransportSocketIsTls_ClusterIsAcceptedAsUnusable()
    {
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain(Boot.Tcp("c"))).With(Cluster(", " + Upstream, Endpoint(_secured))));
        Call.Ask(_port, "x").ShouldBeNull();
        proxy.Logged("details=tls_unsupported ").ShouldContain("flags=UF ");
        _secured.Calls.ShouldBe(0);
    }

    [Fact]
    public void TlsByDefaultAndRawBufferForAMatch_MatchedEndpointWorks()
    {
        string matches = ", transport_socket_matches: [{name: plain, match: {plain: 'yes'}, transport_socket: {name: envoy.transport_sockets.raw_buffer}}]";
        const string Plain = ", metadata: {filter_metadata: {envoy.transport_socket_match: {plain: 'yes'}}}";
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain(Boot.Tcp("c"))).With(Cluster($", {Upstream}{matches}", Endpoint(_secured), Endpoint(_plain, Plain))));
        Call.Ask(_port, "x").ShouldBe("plain x");
        _secured.Calls.ShouldBe(0);
    }
}
