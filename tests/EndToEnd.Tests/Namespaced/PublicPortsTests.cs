using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>Ports 15021 and 15090, in namespaces because every proxy has them.</summary>
public class PublicPortsTests
{
    [Fact]
    public void Default_BothPortsAnswerOnAllAddressesAndHideTheAdminPages()
    {
        using Pod pod = new();
        using Sidecar proxy = Sidecar.Start(new Boot { PublicPorts = true }, pod.Name);
        foreach (string address in new[] { Pod.Ip, Pod.Ip6 })
        {
            Http.Get(15021, "/healthz/ready", pod.Outside, address).Status.ShouldBe(200);
            (int status, string body) = Http.Get(15090, "/stats/prometheus", pod.Outside, address);
            status.ShouldBe(200);
            body.ShouldContain("envoy_server_state");
            Http.Get(15021, "/config_dump", pod.Outside, address).Status.ShouldBe(404);
            Http.Get(15090, "/config_dump", pod.Outside, address).Status.ShouldBe(404);
        }
    }

    [Fact]
    public void StaticHttpListenersOnThem_AreTakenAsTheRequest()
    {
        using Pod pod = new();
        Boot boot = new Boot { PublicPorts = true }
            .Listen("ready", 15021, Boot.Chain(Boot.Hcm()), address: Pod.Ip).Listen("stats", 15090, Boot.Chain(Boot.Hcm()), address: Pod.Ip);
        using Sidecar proxy = Sidecar.Start(boot, pod.Name);
        Http.Get(15021, "/healthz/ready", pod.Outside, Pod.Ip).Status.ShouldBe(200);
        Http.Get(15090, "/stats/prometheus", pod.Outside, Pod.Ip).Status.ShouldBe(200);
        Http.Get(15021, "/healthz/ready", pod.Outside, Pod.Ip6).Status.ShouldBe(0);
        proxy.Get("/listeners").ShouldNotContain("15021");
    }

    [Fact]
    public void PortsZero_SwitchThemOff()
    {
        using Pod pod = new();
        using Sidecar proxy = Sidecar.Start(new Boot(), pod.Name);
        Http.Get(15021, "/healthz/ready", pod.Outside, Pod.Ip).Status.ShouldBe(0);
        Http.Get(15090, "/stats/prometheus", pod.Outside, Pod.Ip).Status.ShouldBe(0);
    }
}
