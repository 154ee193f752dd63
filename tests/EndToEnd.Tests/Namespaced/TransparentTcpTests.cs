using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>TCP through TPROXY rules: the address of the accepted socket is where the client was going.</summary>
public class TransparentTcpTests
{
    [Theory]
    [InlineData(Pod.OutsideIp, "0.0.0.0", false, "net_admin")]
    [InlineData(Pod.OutsideIp6, "::", false, "net_admin")]
    [InlineData(Pod.OutsideIp, "::", true, "net_raw")]
    [InlineData(Pod.OutsideIp6, "::", true, "net_raw")]
    public void Outbound_GoesToTheOriginalDestination(string server, string listen, bool dualStack, string capability)
    {
        using Pod pod = new();
        TransparentRules.Outbound(pod, 7100, 7200);
        using Backend service = new("service", pod.Outside, 7100, address: "::");
        using Backend other = new("other", pod.Outside, 7200, address: "::");
        using Sidecar proxy = Sidecar.Start(Captured(listen, dualStack), pod.Name, capabilities: capability);
        Call.Ask(7100, "x", server, pod.Name).ShouldBe("service x");
        Call.Ask(7200, "x", server, pod.Name).ShouldBe("other x");
        string at = server.Contains(':') ? $"[{server}]" : server;
        proxy.Logged("listener=in", $"local={at}:7100 ").ShouldContain($"host={at}:7100 ");
        proxy.Logged("listener=in", $"local={at}:7200 ").ShouldContain($"host={at}:7200 ");
    }

    [Theory]
    [InlineData("0.0.0.0", "IP_TRANSPARENT")]
    [InlineData("::", "IPV6_TRANSPARENT")]
    public void WithoutCapability_TheProxySaysWhichListenerNeedsIt(string listen, string option)
    {
        using Pod pod = new();
        (int exit, string said) = Sidecar.Refuse(Captured(listen, dualStack: false), pod.Name);
        exit.ShouldBe(1);
        said.ShouldContain("listener in: ");
        said.ShouldContain($"cannot set {option}: ");
        said.ShouldContain("CAP_NET_ADMIN or CAP_NET_RAW");
    }

    private static Boot Captured(string listen, bool dualStack) => new Boot()
        .Listen(
            "in",
            15001,
            Boot.Chain(Boot.Tcp("in")),
            ", transparent: true",
            listen,
            dualStack ? ", ipv4_compat: true" : "")
        .With(Boot.OriginalDst("in"));
}
