using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>HTTP captured by real rules, with and without an engine.</summary>
public class CapturedHttpTests
{
    private const string Server = "server { listen 8080; location / { return 200 \"outside $remote_addr\"; } }";

    [Fact]
    public void WithoutEngine_GoesToTheOriginalDestination()
    {
        using Pod pod = new();
        pod.Init("-b", "", "-i", "*");
        using Peer web = Peer.Nginx(8080, Server, pod.Outside);
        using Sidecar proxy = Sidecar.Start(Outbound(), pod.Name);
        Http.Get(8080, "/", pod.Name, Pod.OutsideIp).ShouldBe((200, "outside " + Pod.Ip));
        proxy.Logged("listener=out").ShouldContain($"local={Pod.OutsideIp}:8080 ");
    }

    [Fact]
    public void WithEngine_EngineIsToldTheOriginalDestination()
    {
        using Pod pod = new();
        pod.Init("-b", "", "-i", "*");
        using Peer engine = Peer.Nginx(
            8889,
            "server { listen 8889; listen 127.0.0.1:8888 proxy_protocol; location / { return 200 \"$proxy_protocol_addr $proxy_protocol_server_addr:$proxy_protocol_server_port\"; } }",
            pod.Name);
        using Sidecar proxy = Sidecar.Start(Outbound().HandOff("engine", "V2").With(Boot.Cluster("engine", ["127.0.0.1:8888"])), pod.Name);
        Http.Get(8080, "/", pod.Name, Pod.OutsideIp).ShouldBe((200, $"{Pod.Ip} {Pod.OutsideIp}:8080")); // nobody listens outside
    }

    private static Boot Outbound() => new Boot().Listen(
        "out", 15001, Boot.Chain(Boot.Hcm()), $", use_original_dst: true, listener_filters: [{Boot.Inspector("http_inspector")}]", "0.0.0.0");
}
