using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>
/// Entry 18: a connection to one of the proxy's own capture ports, at every local address and from both sides, must not
/// make the proxy dial itself over and over. Each ends with one reason, and nobody is left behind.
/// </summary>
public class Entry18_ProxyReachesItself
{
    private const string SecondIp = "10.77.0.9";
    private static readonly int[] CapturePorts = [15001, 15006];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EveryLocalAddress_AtEveryCapturePort_EndsWithAReason(bool withRules)
    {
        using Pod pod = new();
        pod.Exec("ip", "addr", "add", SecondIp + "/24", "dev", "eth0");
        pod.Exec("ip", "addr", "add", "::6/128", "dev", "lo", "nodad");
        if (withRules)
        {
            pod.Init("-b", "*", "-i", "*");
        }

        using Sidecar proxy = Sidecar.Start(Capturing(), pod.Name);
        (string From, string To)[] ways =
        [
            .. new[] { "127.0.0.1", "127.0.0.2", "127.0.0.6", Pod.Ip, SecondIp, "::1", "::6", Pod.Ip6 }.Select(to => (pod.Name, to)),
            .. new[] { Pod.Ip, SecondIp, Pod.Ip6 }.Select(to => (pod.Outside, to)),
        ];
        foreach ((string from, string to) in ways)
        {
            foreach (int port in CapturePorts)
            {
                Call.Ask(port, "x", to, from).ShouldBeNull($"{from} to {to} {port}");
            }
        }

        int calls = ways.Length * CapturePorts.Length;
        // Without rules the kernel knows of no original destination, so there is nothing to dial.
        string reason = withRules ? "flags=LR details=loop_guard_own_listener" : "flags=UH details=no_healthy_upstream";
        proxy.LoggedLines(calls, reason).Count.ShouldBe(calls);
        proxy.LoggedLines(calls, "listener=").Count.ShouldBe(calls, "a call came back to the proxy");
        proxy.Stat("meshl4.downstream_connections").ShouldBe(0);
    }

    private static Boot Capturing()
    {
        var boot = new Boot();
        foreach ((string any, string family, string bind) in new[] { ("0.0.0.0", "4", "127.0.0.6"), ("::", "6", "::6") })
        {
            string source = $", upstream_bind_config: {{source_address: {{address: '{bind}', port_value: 0}}}}";
            boot.Listen("outbound" + family, 15001, Boot.Chain(Boot.Tcp("passthrough" + family)), ", use_original_dst: true", any)
                .Listen("inbound" + family, 15006, Boot.Chain(Boot.Tcp("application" + family)), $", listener_filters: [{Boot.Inspector("original_dst")}]", any)
                .With(Boot.OriginalDst("passthrough" + family), Boot.OriginalDst("application" + family, source));
        }

        return boot;
    }
}
