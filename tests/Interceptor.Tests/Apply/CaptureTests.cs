using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Capture;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Apply;

/// <summary>Real connections through real rules: where they land, and what destination is recovered.</summary>
public class CaptureTests
{
    private static readonly (string, string)[] Flagged =
    [
        ("istio-inbound-ports", "*"), ("istio-local-exclude-ports", "15090"), ("istio-service-cidr", "*"),
        ("istio-local-outbound-ports-exclude", "7002"), ("istio-service-exclude-cidr", "10.77.0.9/32,fd77::9/128"),
    ];

    public static TheoryData<string, string> BackendsAndAddresses
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string backend in new[] { "", "nft", "legacy" })
            {
                data.Add(backend, "10.77.0.1");
                data.Add(backend, "fd77::1");
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(BackendsAndAddresses))]
    public void Outbound_ApplicationsConnection_ReachesProxyWithItsDestination(string backend, string address)
    {
        using var pod = new Pod();
        pod.Apply(With(backend));
        using Socket proxy = Pod.Listen(pod.Name, 15001);
        using Socket application = Pod.Connect(pod.Name, address, 7001);
        Recovered(proxy).ShouldBe(new IPEndPoint(IPAddress.Parse(address), 7001));
    }

    [Theory]
    [MemberData(nameof(BackendsAndAddresses))]
    public void Outbound_ProxyUidGidExcludedPortAndBlock_AreUntouched(string backend, string address)
    {
        using var pod = new Pod();
        string other = address.Replace("::1", "::9").Replace("0.1", "0.9");
        new Interceptor.Apply.CommandRunner().Run("ip", ["-n", pod.Outside, "addr", "add", $"{other}/{(other.Contains(':') ? "64" : "24")}", "dev", "eth0", .. (other.Contains(':') ? new[] { "nodad" } : [])]);
        pod.Apply(With(backend));
        using Socket peer = Pod.Listen(pod.Outside, 7001);
        using Socket excluded = Pod.Listen(pod.Outside, 7002);
        pod.ConnectAs(1337, 1000, address, 7001);
        pod.ConnectAs(1000, 1337, address, 7001);
        using Socket byPort = Pod.Connect(pod.Name, address, 7002);
        using Socket byBlock = Pod.Connect(pod.Name, other, 7001);
        for (int i = 0; i < 3; i++)
        {
            Pod.Accept(peer).Dispose();
        }

        Pod.Accept(excluded).Dispose();
    }

    [Theory]
    [InlineData("", "10.77.0.2")]
    [InlineData("", "fd77::2")]
    [InlineData("nft", "10.77.0.2")]
    [InlineData("legacy", "fd77::2")]
    public void Inbound_FromOutside_ReachesProxyAndExcludedPortDoesNot(string backend, string address)
    {
        using var pod = new Pod();
        pod.Apply(With(backend));
        using Socket proxy = Pod.Listen(pod.Name, 15006);
        using Socket stats = Pod.Listen(pod.Name, 15090);
        using Socket tunnel = Pod.Listen(pod.Name, 15008);
        using Socket captured = Pod.Connect(pod.Outside, address, 8080);
        Recovered(proxy).ShouldBe(new IPEndPoint(IPAddress.Parse(address), 8080));
        using Socket scrape = Pod.Connect(pod.Outside, address, 15090);
        Pod.Accept(stats).Dispose();
        using Socket direct = Pod.Connect(pod.Outside, address, 15008);
        Pod.Accept(tunnel).Dispose();
    }

    [Fact]
    public void Outbound_SelfCallOfProxy_ReachesInboundAndPassthroughDoesNot()
    {
        using var pod = new Pod();
        pod.Apply(With(""));
        using Socket inbound = Pod.Listen(pod.Name, 15006);
        using Socket application = Pod.Listen(pod.Name, 8080);
        pod.ConnectAs(1337, 1337, "10.77.0.2", 8080);
        Recovered(inbound).ShouldBe(new IPEndPoint(IPAddress.Parse("10.77.0.2"), 8080));
        pod.Exec("setpriv", "--reuid", "1337", "--regid", "1337", "--clear-groups",
            "socat", "-u", "OPEN:/dev/null", "TCP:10.77.0.2:8080,bind=127.0.0.6");
        Pod.Accept(application).Dispose();
    }

    [Fact]
    public void TryGet_ConnectionThatWasNotRedirected_IsFalseOrTheListenerItself()
    {
        using var pod = new Pod();
        using Socket listener = Pod.Listen(pod.Name, 9000);
        using Socket client = Pod.Connect(pod.Name, "127.0.0.1", 9000);
        using Socket accepted = Pod.Accept(listener);
        if (OriginalDestination.TryGet((int)accepted.Handle, AddressFamily.InterNetwork, out IPEndPoint destination))
        {
            destination.Port.ShouldBe(9000);
        }

        OriginalDestination.TryGet((int)accepted.Handle, AddressFamily.InterNetworkV6, out _).ShouldBeFalse();
    }

    private static (string, string)[] With(string backend) => backend.Length == 0 ? Flagged : [.. Flagged, ("force-iptables-binary", backend)];

    private static IPEndPoint Recovered(Socket listener)
    {
        using Socket accepted = Pod.Accept(listener);
        IPAddress peer = ((IPEndPoint)accepted.RemoteEndPoint!).Address;
        OriginalDestination.TryGet((int)accepted.Handle, peer, out IPEndPoint destination).ShouldBeTrue();
        return destination;
    }
}
