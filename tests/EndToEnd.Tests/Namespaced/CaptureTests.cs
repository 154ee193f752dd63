using System.Net;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>Real rules of the init container, the proxy as uid 1337 without capabilities, and applications that know of neither.</summary>
public class CaptureTests
{
    private const string Passthrough = "PassthroughCluster";

    [Theory]
    [InlineData(Pod.OutsideIp)]
    [InlineData(Pod.OutsideIp6)]
    public void Outbound_ReachesServiceListenerPassthroughAndBlackHole(string outside)
    {
        using Pod pod = new();
        pod.Init("-b", "", "-i", "*", "-o", "7300");
        using Backend service = new("service", pod.Outside, 9001, address: "::");
        using Backend other = new("other", pod.Outside, 9002, address: "::");
        using Backend excluded = new("excluded", pod.Outside, 7300, address: "::");
        using Sidecar proxy = Sidecar.Start(Outbound(outside), pod.Name);
        Status(proxy.Id, "Uid").ShouldStartWith("1337");
        Status(proxy.Id, "CapEff").ShouldBe("0000000000000000");

        Call.Ask(9000, "x", outside, pod.Name).ShouldBe("service x"); // nobody listens on 9000 outside: the listener of that port decides
        Call.Ask(9002, "x", outside, pod.Name).ShouldBe("other x");
        Call.Ask(9666, "x", outside, pod.Name).ShouldBeNull();
        string at = outside.Contains(':') ? $"[{outside}]" : outside;
        proxy.Logged("listener=service", $"local={at}:9000 ").ShouldContain($"host={at}:9001 ");
        proxy.Logged($"cluster={Passthrough}").ShouldContain($"host={at}:9002 ");
        proxy.Logged("cluster=BlackHoleCluster").ShouldContain("flags=UH ");

        Call.Ask(7300, "x", outside, pod.Name).ShouldBe("excluded x");
        excluded.Calls.ShouldBe(1);
        proxy.LoggedLines(3, "chain=").Count.ShouldBe(3, "the excluded call or the proxy's own calls were captured");
    }

    [Theory]
    [InlineData(Pod.Ip, "127.0.0.6")]
    [InlineData(Pod.Ip6, "::6")]
    public void Inbound_ReachesTheApplicationFromTheBindAddress(string address, string from)
    {
        using Pod pod = new();
        pod.Init("-b", "*", "-d", "7301");
        using Backend app = new("app", pod.Name, 7100, address: "::");
        using Backend untouched = new("untouched", pod.Name, 7301, address: "::");
        using Sidecar proxy = Sidecar.Start(Inbound(address.Contains(':')), pod.Name);
        Call.Ask(7100, "x", address, pod.Outside).ShouldBe("app x");
        Plain(app.LastPeer!).ShouldBe(IPAddress.Parse(from));
        proxy.Logged("listener=virtualInbound").ShouldContain("cluster=InboundPassthroughCluster ");
        Call.Ask(7301, "x", address, pod.Outside).ShouldBe("untouched x");
        Plain(untouched.LastPeer!).ShouldBe(IPAddress.Parse(address == Pod.Ip ? Pod.OutsideIp : Pod.OutsideIp6));
        proxy.LoggedLines(1, "chain=").Count.ShouldBe(1);
    }

    [Fact]
    public void InboundWithoutBindAddress_EndsAfterOneReentryWithReason()
    {
        using Pod pod = new();
        pod.Init("-b", "*", "-i", "*");
        using Backend app = new("app", pod.Name, 7100, address: "0.0.0.0");
        Boot boot = new Boot()
            .Listen("virtualInbound", 15006, Boot.Chain(Boot.Tcp("in")), $", listener_filters: [{Boot.Inspector("original_dst")}]", "0.0.0.0")
            .With(Boot.OriginalDst("in"));
        using Sidecar proxy = Sidecar.Start(boot, pod.Name);
        Call.Ask(7100, "x", Pod.Ip, pod.Outside).ShouldBeNull();
        proxy.Logged("details=loop_guard_own_upstream").ShouldContain("flags=LR ");
        proxy.LoggedLines(2, "listener=").Count.ShouldBe(2);
        app.Calls.ShouldBe(0);
    }

    [Fact]
    public void TransparentListener_LocalAddressIsTheDestination()
    {
        using Pod pod = new();
        using Backend app = new("app", pod.Name, 7100, address: "0.0.0.0");
        pod.Exec("ip", "rule", "add", "fwmark", "1337", "lookup", "133");
        pod.Exec("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "133");
        pod.Exec("nft", "add table ip t; add chain ip t p { type filter hook prerouting priority -150; }; "
            + "add rule ip t p iifname eth0 tcp dport 7100 tproxy to :15006 meta mark set 1337 accept");
        Boot boot = new Boot().Listen("in", 15006, Boot.Chain(Boot.Tcp("in")), ", transparent: true", "0.0.0.0")
            .With(Boot.OriginalDst("in", ", upstream_bind_config: {source_address: {address: 127.0.0.6, port_value: 0}}"));
        using Sidecar proxy = Sidecar.Start(boot, pod.Name, capabilities: "net_admin");
        Call.Ask(7100, "x", Pod.Ip, pod.Outside).ShouldBe("app x");
        proxy.Logged("listener=in").ShouldContain($"local={Pod.Ip}:7100 ");
    }

    [Fact]
    public void OriginalDestination_FilterDisabled_LocalAddressIsTheListeners()
    {
        using Pod pod = new();
        pod.Init("-b", "*", "-i", "*");
        using Backend app = new("app", pod.Name, 7100, address: "0.0.0.0");
        string filter = Boot.Inspector("original_dst", ", filter_disabled: {destination_port_range: {start: 15006, end: 15007}}");
        Boot boot = new Boot()
            .Listen("in", 15006, Boot.Chain(Boot.Tcp("c"), "destination_port: 15006", "own"), $", listener_filters: [{filter}]", "0.0.0.0")
            .With(Boot.Cluster("c", ["127.0.0.1:7100"], ", upstream_bind_config: {source_address: {address: 127.0.0.6, port_value: 0}}"));
        using Sidecar proxy = Sidecar.Start(boot, pod.Name);
        Call.Ask(7300, "x", Pod.Ip, pod.Outside).ShouldBe("app x");
        proxy.Logged("chain=own ").ShouldContain($"local={Pod.Ip}:15006 ");
    }

    [Fact]
    public void OriginalSource_ApplicationSeesTheClient()
    {
        using Pod pod = new();
        using Backend app = new("app", pod.Name, 7100, address: "0.0.0.0");
        pod.Exec("ip", "rule", "add", "fwmark", "1337", "lookup", "133");
        pod.Exec("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "133");
        pod.Exec("nft", "add table ip t; add chain ip t p { type filter hook prerouting priority -150; }; "
            + "add chain ip t o { type route hook output priority -150; }; "
            + "add rule ip t p iifname eth0 tcp dport 7100 tproxy to :15006 meta mark set 1337 accept; "
            + "add rule ip t o meta mark 1337 ct mark set 1337; "
            + "add rule ip t o ct mark 1337 meta mark set 1337"); // the application's answers go to the proxy, not to the client
        string source = "{name: envoy.filters.listener.original_src, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener.original_src.v3.OriginalSrc, mark: 1337}}";
        Boot boot = new Boot().Listen("in", 15006, Boot.Chain(Boot.Tcp("in")), $", transparent: true, listener_filters: [{source}]", "0.0.0.0")
            .With(Boot.OriginalDst("in", ", upstream_bind_config: {source_address: {address: 127.0.0.6, port_value: 0}}"));
        using Sidecar proxy = Sidecar.Start(boot, pod.Name, capabilities: "net_admin");
        Call.Ask(7100, "x", Pod.Ip, pod.Outside).ShouldBe("app x");
        app.LastPeer!.Address.ShouldBe(IPAddress.Parse(Pod.OutsideIp));
        proxy.Logged("listener=in").ShouldContain($"host={Pod.Ip}:7100 ");
    }

    private static IPAddress Plain(IPEndPoint peer) => peer.Address.IsIPv4MappedToIPv6 ? peer.Address.MapToIPv4() : peer.Address;

    private static string Status(int id, string field) =>
        File.ReadLines($"/proc/{id}/status").First(line => line.StartsWith(field + ":", StringComparison.Ordinal))[(field.Length + 1)..].Trim();

    private static Boot Outbound(string outside)
    {
        bool v6 = outside.Contains(':');
        string any = v6 ? "::" : "0.0.0.0";
        return new Boot()
            .Listen("virtualOutbound", 15001, Boot.Chain(Boot.Tcp(Passthrough)), ", use_original_dst: true", any)
            .Listen("service", 9000, Boot.Chain(Boot.Tcp("service")), ", bind_to_port: false", any)
            .Listen("black", 9666, Boot.Chain(Boot.Tcp("BlackHoleCluster")), ", bind_to_port: false", any)
            .With(
                Boot.OriginalDst(Passthrough),
                Boot.Cluster("service", [v6 ? $"[{outside}]:9001" : $"{outside}:9001"]),
                Boot.Cluster("BlackHoleCluster", []));
    }

    private static Boot Inbound(bool v6) => new Boot()
        .Listen("virtualInbound", 15006, Boot.Chain(Boot.Tcp("InboundPassthroughCluster")), $", listener_filters: [{Boot.Inspector("original_dst")}]", v6 ? "::" : "0.0.0.0")
        .With(Boot.OriginalDst("InboundPassthroughCluster", $", upstream_bind_config: {{source_address: {{address: '{(v6 ? "::6" : "127.0.0.6")}', port_value: 0}}}}"));
}
