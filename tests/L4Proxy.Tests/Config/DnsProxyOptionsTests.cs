using System.Net;
using MeshL4.L4Proxy.Config.Bootstrap;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>What switches the DNS proxy on, and what it is told.</summary>
public sealed class DnsProxyOptionsTests : IDisposable
{
    private const string Node = "node: {id: sidecar~10.0.0.1~pod.ns~ns.svc.cluster.local, metadata: {NAMESPACE: ns, DNS_CAPTURE: $CAPTURE}}\n";
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("'true'", "", true)]
    [InlineData("true", "", true)]
    [InlineData("'false'", "", false)]
    [InlineData("'true'", "enabled: false", false)]
    [InlineData("'false'", "enabled: true", true)]
    [InlineData("'false'", "transparent: true", false)]
    public void DnsProxy_OfNodeAndExtension_IsOnWhenAskedFor(string capture, string members, bool on) => (Start(capture, members) is not null).ShouldBe(on);

    [Fact]
    public void DnsProxy_WithDefaults_ListensAsIstiosAgentDoes()
    {
        DnsProxyConfig dns = Start("'true'", "").ShouldNotBeNull();
        dns.Addresses.ShouldBe([new IPEndPoint(IPAddress.Loopback, 15053), new IPEndPoint(IPAddress.IPv6Loopback, 15053)]);
        (dns.Domain, dns.Namespace, dns.IsExplicit).ShouldBe(("svc.cluster.local", "ns", false));
    }

    [Fact]
    public void DnsProxy_WithSettings_TakesThem()
    {
        DnsProxyConfig dns = Start("'true'", "enabled: true, addresses: [{address: 127.0.0.1, port_value: 5353}], upstreams: [{address: 10.0.0.10}], query_timeout: 2s, max_pending_queries: 7, domain: svc.other.").ShouldNotBeNull();
        dns.Addresses.ShouldBe([new IPEndPoint(IPAddress.Loopback, 5353)]);
        dns.Upstreams.ShouldBe([new IPEndPoint(IPAddress.Parse("10.0.0.10"), 53)]);
        (dns.QueryTimeout, dns.MaxPendingQueries, dns.Domain, dns.IsExplicit).ShouldBe((TimeSpan.FromSeconds(2), 7, "svc.other", true));
    }

    [Theory]
    [InlineData("addresses: [{address: dns.example, port_value: 1}]", "addresses[0].address: 'dns.example' is not an IP address")]
    [InlineData("addresses: [{address: 127.0.0.1}]", "addresses[0].port_value: is required")]
    [InlineData("query_timeout: 0s", "query_timeout: must be greater than zero")]
    public void DnsProxy_WithWrongSettings_IsRefusedWithPlaceAndReason(string members, string reason)
        => _folder.Errors(Text("'true'", members)).ShouldContain("bootstrap_extensions[0].typed_config." + reason);

    [Fact]
    public void Bootstrap_OfTheExamplePod_IsTakenAndCapturesNames()
    {
        string text = File.ReadAllText(Path.Combine(MeshL4.TestKit.Executables.Root, "deploy/bootstrap.yaml"));
        text.ShouldContain("DNS_CAPTURE: \"true\"");
        _folder.Errors(text).ShouldBeEmpty();
    }

    private DnsProxyConfig? Start(string capture, string members)
    {
        _folder.Start(Text(capture, members));
        return _folder.ConfigPath.DnsProxy;
    }

    private static string Text(string capture, string members) => Node.Replace("$CAPTURE", capture, StringComparison.Ordinal)
        + $"bootstrap_extensions: [{{name: dns, typed_config: {{'@type': type.googleapis.com/meshl4.bootstrap.v1.DnsProxyOptions{(members.Length > 0 ? ", " : "")}{members}}}}}]\n";
}
