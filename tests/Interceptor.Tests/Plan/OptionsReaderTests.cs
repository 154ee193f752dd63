using System.Net;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Plan;

public class OptionsReaderTests
{
    [Theory]
    [InlineData("istio-inbound-ports", "0")]
    [InlineData("istio-inbound-ports", "65536")]
    [InlineData("istio-inbound-ports", "+80")]
    [InlineData("istio-inbound-ports", "80,")]
    [InlineData("istio-inbound-ports", "90-80")]
    [InlineData("istio-inbound-ports", "*,80")]
    [InlineData("istio-inbound-ports", "80; nft flush ruleset")]
    [InlineData("istio-local-exclude-ports", "*")]
    [InlineData("istio-service-exclude-cidr", "*")]
    [InlineData("istio-service-cidr", "10.1/8")]
    [InlineData("istio-service-cidr", "010.0.0.0/8")]
    [InlineData("istio-service-cidr", "10.0.0.0/33")]
    [InlineData("istio-service-cidr", "10.0.0.0/8/8")]
    [InlineData("istio-service-cidr", "fe80::1%eth0/64")]
    [InlineData("istio-service-cidr", "-q")]
    [InlineData("proxy-uid", "istio-proxy")]
    [InlineData("proxy-uid", "4294967295")]
    [InlineData("istio-exclude-interfaces", "eth0 -j ACCEPT")]
    [InlineData("istio-exclude-interfaces", "an-interface-name")]
    [InlineData("istio-outbound-ipv4-loopback-cidr", "10.0.0.0/8")]
    [InlineData("ipv6", "yes")]
    [InlineData("istio-inbound-interception-mode", "TPROXY")]
    [InlineData("dual-stack", "maybe")]
    [InlineData("dry-run", "perhaps")]
    [InlineData("verify", "maybe")]
    [InlineData("iptables-probe-port", "0")]
    [InlineData("probe-timeout", "5")]
    [InlineData("probe-timeout", "0s")]
    [InlineData("probe-timeout", "1h1s")]
    [InlineData("probe-timeout", "-5s")]
    [InlineData("envoy-port", "15006")]
    [InlineData("force-iptables-binary", "other")]
    public void TryRead_BadValue_ErrorNamesFlagAndValue(string flag, string value)
    {
        string error = Flags.Errors((flag, value)).ShouldHaveSingleItem();
        error.ShouldContain($"--{flag}");
        error.ShouldContain($"'{(value == "80," ? "" : value)}'");
    }

    [Fact]
    public void TryRead_SeveralBadValues_ReportsAllAtOnce() =>
        Flags.Errors(("proxy-uid", "a,b"), ("istio-inbound-ports", "x"), ("istio-service-cidr", "y")).Count.ShouldBe(4);

    [Fact]
    public void TryRead_EmptyValues_AreDefaults()
    {
        var options = Flags.Options(("istio-service-exclude-cidr", ""), ("istio-inbound-ports", ""), ("proxy-gid", ""), ("proxy-uid", "5,6"));
        options.InboundPorts.All.ShouldBeFalse();
        options.OutboundExcludedBlocks.ShouldBeEmpty();
        options.ProxyGids.ShouldBe([5u, 6u]);
    }

    [Fact]
    public void TryRead_HostBitsInABlock_AreCleared() =>
        Flags.Options(("istio-service-cidr", "10.1.2.3/9")).OutboundBlocks.Blocks.ShouldBe([IPNetwork.Parse("10.0.0.0/9")]);
}
