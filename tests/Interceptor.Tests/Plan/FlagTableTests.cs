using MeshL4.Interceptor.Plan;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Plan;

/// <summary>Everything that istio-iptables takes, under the same name, letter and variable, with the same default.</summary>
public class FlagTableTests
{
    [Theory]
    [InlineData("envoy-port", 'p', "")]
    [InlineData("inbound-capture-port", 'z', "INBOUND_CAPTURE_PORT")]
    [InlineData("inbound-tunnel-port", 'e', "INBOUND_TUNNEL_PORT")]
    [InlineData("proxy-uid", 'u', "PROXY_UID")]
    [InlineData("proxy-gid", 'g', "PROXY_GID")]
    [InlineData("istio-inbound-interception-mode", 'm', "ISTIO_INBOUND_INTERCEPTION_MODE")]
    [InlineData("istio-inbound-tproxy-mark", 't', "ISTIO_INBOUND_TPROXY_MARK")]
    [InlineData("istio-inbound-tproxy-route-table", 'r', "ISTIO_INBOUND_TPROXY_ROUTE_TABLE")]
    [InlineData("istio-inbound-ports", 'b', "ISTIO_INBOUND_PORTS")]
    [InlineData("istio-local-exclude-ports", 'd', "ISTIO_LOCAL_EXCLUDE_PORTS")]
    [InlineData("istio-exclude-interfaces", 'c', "ISTIO_EXCLUDE_INTERFACES")]
    [InlineData("istio-service-cidr", 'i', "ISTIO_SERVICE_CIDR")]
    [InlineData("istio-service-exclude-cidr", 'x', "ISTIO_SERVICE_EXCLUDE_CIDR")]
    [InlineData("istio-outbound-ports", 'q', "ISTIO_OUTBOUND_PORTS")]
    [InlineData("istio-local-outbound-ports-exclude", 'o', "ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE")]
    [InlineData("kube-virt-interfaces", 'k', "KUBE_VIRT_INTERFACES")]
    [InlineData("redirect-dns", null, "REDIRECT_DNS ISTIO_META_DNS_CAPTURE")]
    [InlineData("capture-all-dns", null, "CAPTURE_ALL_DNS")]
    [InlineData("drop-invalid", null, "DROP_INVALID INVALID_DROP")]
    [InlineData("dual-stack", null, "DUAL_STACK ISTIO_DUAL_STACK")]
    [InlineData("dry-run", 'n', "DRY_RUN")]
    [InlineData("skip-rule-apply", null, "SKIP_RULE_APPLY")]
    [InlineData("run-validation", null, "RUN_VALIDATION")]
    [InlineData("iptables-probe-port", null, "IPTABLES_PROBE_PORT")]
    [InlineData("probe-timeout", null, "PROBE_TIMEOUT")]
    [InlineData("network-namespace", null, "NETWORK_NAMESPACE")]
    [InlineData("cni-mode", null, "CNI_MODE")]
    [InlineData("reconcile", null, "RECONCILE")]
    [InlineData("cleanup-only", null, "CLEANUP_ONLY")]
    [InlineData("force-apply", null, "FORCE_APPLY")]
    [InlineData("native-nftables", null, "NATIVE_NFTABLES")]
    [InlineData("force-iptables-binary", null, "FORCE_IPTABLES_BINARY")]
    [InlineData("envoy-user", null, "ENVOY_USER")]
    [InlineData("istio-outbound-ipv4-loopback-cidr", null, "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR")]
    [InlineData("istio-outbound-owner-groups", null, "ISTIO_OUTBOUND_OWNER_GROUPS")]
    [InlineData("istio-outbound-owner-groups-exclude", null, "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE")]
    public void All_EachOfIstios_IsThere(string name, char? letter, string variables)
    {
        RedirectFlag flag = RedirectFlag.All.Single(f => f.Name == name);
        flag.Short.ShouldBe(letter);
        string.Join(' ', flag.Variables).ShouldBe(variables);
    }

    [Fact]
    public void Read_Nothing_GivesIstiosDefaults()
    {
        RedirectOptions o = Flags.Options();
        (o.OutboundPort, o.InboundPort, o.TunnelPort, o.DnsPort, o.ProbePort).ShouldBe((15001, 15006, 15008, 15053, 15002));
        (o.Mark, o.RouteTable, o.ProbeTimeout).ShouldBe((1337u, 133, TimeSpan.FromSeconds(5)));
        o.ProxyUids.ShouldBe([1337u]);
        o.ProxyGids.ShouldBe([1337u]);
        (o.Mode, o.Dns).ShouldBe((InterceptionMode.Redirect, DnsCapture.None));
        (o.InboundPorts.All, o.InboundPorts.Ports.IsEmpty, o.OutboundBlocks.All, o.OutboundBlocks.Blocks.Count).ShouldBe((false, true, false, 0));
        (o.OutboundPorts.IsEmpty, o.OutboundExcludedPorts.IsEmpty, o.InboundExcludedPorts.IsEmpty, o.UdpPorts.Ports.IsEmpty).ShouldBe((true, true, true, true));
        new[] { o.OutboundExcludedBlocks.Count, o.ExcludedInterfaces.Count, o.VirtualInterfaces.Count, o.ExcludedOwnerGroups.Count, o.UserExclusions.Count, o.InboundExcludedSources.Count }
            .ShouldAllBe(n => n == 0);
        o.OwnerGroups.ShouldBeNull();
        o.LoopbackBlock.ToString().ShouldBe("127.0.0.1/32");
        (o.DropInvalid, o.DryRun, o.SkipRuleApply, o.RunValidation, o.CleanupOnly, o.ForceApply, o.NativeNftables).ShouldBe((false, false, false, false, false, false, false));
        (o.ForcedIptables, o.NetworkNamespace).ShouldBe((null, null));
        (o.RedirectInbound, o.RedirectOutbound).ShouldBe((true, true));
    }

    [Fact]
    public void All_NamesLettersAndVariables_AreUnique()
    {
        RedirectFlag.All.Select(f => f.Name).ShouldBeUnique();
        RedirectFlag.All.Select(f => f.Short).OfType<char>().ShouldBeUnique();
        RedirectFlag.All.SelectMany(f => f.Variables).ShouldBeUnique();
    }
}
