using System.Net;
using MeshL4.Interceptor.Plan;
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
    [InlineData("istio-service-cidr", "[2001:db8::1]:443")]
    [InlineData("istio-service-exclude-cidr", "[2001:db8::1]")]
    [InlineData("subnets-to-ignore", "[2001:db8::]/32")]
    [InlineData("dns-servers", "[2001:db8::53]:53")]
    [InlineData("proxy-uid", "istio-proxy")]
    [InlineData("proxy-uid", "4294967295")]
    [InlineData("istio-exclude-interfaces", "eth0 -j ACCEPT")]
    [InlineData("istio-exclude-interfaces", "an-interface-name")]
    [InlineData("istio-exclude-interfaces", "fifteen-letters+")]
    [InlineData("istio-outbound-ipv4-loopback-cidr", "10.0.0.0/8")]
    [InlineData("ipv6", "yes")]
    [InlineData("istio-inbound-interception-mode", "NONE")]
    [InlineData("istio-inbound-tproxy-mark", "0")]
    [InlineData("istio-inbound-tproxy-route-table", "254")]
    [InlineData("istio-inbound-tproxy-route-table", "main")]
    [InlineData("istio-inbound-tproxy-route-table", "31300")]
    [InlineData("istio-inbound-tproxy-route-table", "31307")]
    [InlineData("kube-virt-interfaces", "-i")]
    [InlineData("istio-local-exclude-ports", "-b")]
    [InlineData("istio-outbound-owner-groups", "nobody-of-this-name")]
    [InlineData("istio-outbound-owner-groups-exclude", "*")]
    [InlineData("subnets-to-ignore", "*")]
    [InlineData("dns-servers", "10.0.0.0/8")]
    [InlineData("capture-udp", "53")]
    [InlineData("exclude-outbound-ports-for-uids", "sctp:53:1000")]
    [InlineData("exclude-outbound-ports-for-uids", "tcp:53:2000-1000")]
    [InlineData("exclude-outbound-ports-for-uids", "tcp:53:1000:7")]
    [InlineData("exclude-outbound-ports-for-uids", "tcp:0:1000")]
    [InlineData("exclude-outbound-ports-for-uids", "tcp:53:")]
    [InlineData("redirect-inbound", "no")]
    [InlineData("dual-stack", "maybe")]
    [InlineData("dry-run", "perhaps")]
    [InlineData("verify", "maybe")]
    [InlineData("iptables-probe-port", "0")]
    [InlineData("probe-timeout", "5")]
    [InlineData("probe-timeout", "0s")]
    [InlineData("probe-timeout", "1h1s")]
    [InlineData("probe-timeout", "-5s")]
    [InlineData("probe-timeout", "4294967295h")]
    [InlineData("probe-timeout", "1s4294967295h4294967295h")]
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

    [Fact]
    public void Read_UserWithNoIds_IsTheProxysUserByName()
    {
        using var etc = new EtcFolder(("passwd", "root:x:0:0:root:/root:/bin/sh\nistio-proxy:x:1007:1008::/:/bin/false\nother:x:5:5::/:/bin/false\n"));
        etc.Read().Options.ProxyUids.ShouldBe([1007u]);
        etc.Read().Options.ProxyGids.ShouldBe([1007u]);
        etc.Read(("envoy-user", "other")).Options.ProxyUids.ShouldBe([5u]);
        etc.Read(("envoy-user", "other"), ("proxy-uid", "9")).Options.ProxyUids.ShouldBe([9u]);
        OptionsReading missing = etc.Read(("envoy-user", "nobody-at-all"));
        missing.Options.ProxyUids.ShouldBe([1337u]);
        missing.Notes.ShouldHaveSingleItem().ShouldContain("'nobody-at-all'");
    }

    [Fact]
    public void Read_NamedGroups_BecomeIds()
    {
        using var etc = new EtcFolder(("group", "root:x:0:\njava:x:204:a,b\nftp:x:9:\n"));
        etc.Read(("istio-outbound-owner-groups", "java,202,java")).Options.OwnerGroups.ShouldBe([204u, 202u]);
        etc.Read(("istio-outbound-owner-groups-exclude", "ftp")).Options.ExcludedOwnerGroups.ShouldBe([9u]);
        etc.Read(("istio-outbound-owner-groups", "*")).Options.OwnerGroups.ShouldBeNull();
    }

    [Fact]
    public void Read_RedirectDns_TakesTheServersOfResolvConf()
    {
        using var etc = new EtcFolder(("resolv.conf", "# nameserver 1.1.1.1\nsearch a.b\nnameserver 10.96.0.10\nnameserver\tfe80::1%eth0\nnameserver nonsense\nnameserver [fd00::53]:53\n"));
        RedirectOptions options = etc.Read(("redirect-dns", "true")).Options;
        options.Dns.ShouldBe(DnsCapture.Servers);
        options.DnsServers.ShouldBe([IPAddress.Parse("10.96.0.10"), IPAddress.Parse("fe80::1")]);
        etc.Read(("redirect-dns", "true"), ("dns-servers", "10.0.0.1")).Options.DnsServers.ShouldBe([IPAddress.Parse("10.0.0.1")]);
        etc.Read(("redirect-dns", "true"), ("capture-all-dns", "true")).Options.Dns.ShouldBe(DnsCapture.All);
        etc.Read().Options.Dns.ShouldBe(DnsCapture.None);
    }

    [Fact]
    public void Read_RedirectDnsWithoutServer_IsOffAndSaysSo()
    {
        OptionsReading reading = Flags.Read(("redirect-dns", "true"));
        reading.Options.Dns.ShouldBe(DnsCapture.None);
        reading.Notes.ShouldHaveSingleItem().ShouldContain("resolv.conf");
    }

    [Theory]
    [InlineData("tcp:22,8000-8010:1000,2000-2999,1001,2500-3000", Transports.Tcp, "22, 8000-8010", "1000-1001 2000-3000")]
    [InlineData("53:1000", Transports.Tcp | Transports.Udp, "53", "1000")]
    [InlineData("1000", Transports.Tcp | Transports.Udp, null, "1000")]
    [InlineData("udp:*:0", Transports.Udp, null, "0")]
    [InlineData("tcp,udp::5", Transports.Tcp | Transports.Udp, null, "5")]
    internal void TryParse_UserExclusion_MeansWhatItMeansInKuma(string text, Transports transports, string? ports, string users)
    {
        UserExclusionParser.TryParse(text, out UserPortExclusion? exclusion).ShouldBeTrue();
        exclusion.Transports.ShouldBe(transports);
        (exclusion.Ports?.ToString()).ShouldBe(ports);
        string.Join(' ', exclusion.Users).ShouldBe(users);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("t", true)]
    [InlineData("T", true)]
    [InlineData("TRUE", true)]
    [InlineData("True", true)]
    [InlineData("0", false)]
    [InlineData("f", false)]
    [InlineData("F", false)]
    [InlineData("FALSE", false)]
    [InlineData("False", false)]
    [InlineData("tRUE", null)]
    [InlineData("yes", null)]
    [InlineData("2", null)]
    public void Read_Switch_TakesTheWordsOfGo(string text, bool? on)
    {
        OptionsReading reading = Flags.Read(("redirect-inbound", text), ("drop-invalid", text));
        reading.Errors.Count.ShouldBe(on is null ? 2 : 0);
        reading.Options.DropInvalid.ShouldBe(on ?? false);
        reading.Options.RedirectInbound.ShouldBe(on ?? true);
    }

    [Theory]
    [InlineData("istio-service-cidr", "2001:db8::/32")]
    [InlineData("istio-service-exclude-cidr", "::/0")]
    [InlineData("subnets-to-ignore", "fd00::1")]
    [InlineData("dns-servers", "fd00::a")]
    public void Read_Ipv6AddressWithIpv6Off_ErrorNamesBoth(string flag, string value)
    {
        Flags.Errors((flag, $"10.0.0.1,{value}"), ("redirect-dns", "true"), ("ipv6", "off")).ShouldHaveSingleItem().ShouldStartWith($"--{flag} '{value}': is of IPv6, and --ipv6 'off'");
        Flags.Errors((flag, $"10.0.0.1,{value}"), ("redirect-dns", "true"), ("ipv6", "on")).ShouldBeEmpty();
    }

    [Fact]
    public void Unheeded_BlocksOfIpv6WhereAddressesLeaveItAlone_AreNamed()
    {
        using var etc = new EtcFolder();
        RedirectOptions options = etc.Read(("istio-service-cidr", "10.0.0.0/8,fd00::/8"), ("subnets-to-ignore", "::/0")).Options;
        Ipv6Choice.Unheeded(options).ShouldBeEmpty();
        Ipv6Choice.Unheeded(options with { WithIpv6 = false }).ShouldBe([
            "--istio-service-cidr: 'fd00::/8' is of IPv6, which is left alone, and says nothing",
            "--subnets-to-ignore: '::/0' is of IPv6, which is left alone, and says nothing"]);
    }

    [Fact]
    public void Read_OnlyServersOfAFamilyThatIsOff_NothingIsCapturedAndNothingZoned()
    {
        using var etc = new EtcFolder(("resolv.conf", "nameserver fd00::a\n"));
        OptionsReading reading = etc.Read(("redirect-dns", "true"), ("istio-service-cidr", "*"), ("ipv6", "off"));
        reading.Errors.ShouldBeEmpty();
        Ipv6Choice.Unheeded(reading.Options).ShouldHaveSingleItem().ShouldContain("no query is captured");
        RedirectPlanner.Plan(reading.Options).Chains.ShouldNotContain(c => c.Table == NetfilterTable.Raw);
        RedirectPlanner.Plan(reading.Options with { WithIpv6 = true }).Chains.ShouldContain(c => c.Table == NetfilterTable.Raw);
    }

    [Theory]
    [InlineData("istio-outbound-owner-groups", "1", "istio-outbound-owner-groups-exclude", "2")]
    [InlineData("dual-stack", "true", "ipv6", "off")]
    [InlineData("native-nftables", "true", "force-iptables-binary", "nft")]
    [InlineData("cleanup-only", "true", "skip-rule-apply", "true")]
    public void Read_OptionsThatClash_ErrorNamesBoth(string one, string value, string other, string otherValue) =>
        Flags.Errors((one, value), (other, otherValue)).ShouldContain(e => e.Contains($"--{one} '{value}'", StringComparison.Ordinal) && e.Contains($"--{other} '{otherValue}'", StringComparison.Ordinal));

    [Fact]
    public void Read_MoreGroupsThanIptablesTakes_IsRefusedWhereItIsForced()
    {
        string most = string.Join(',', Enumerable.Range(1, 48)), more = $"{most},49";
        string error = Flags.Errors(("istio-outbound-owner-groups", more), ("force-iptables-binary", "legacy")).ShouldHaveSingleItem();
        error.ShouldContain($"--istio-outbound-owner-groups '{more}'");
        error.ShouldContain("--force-iptables-binary 'legacy'");
        Flags.Errors(("istio-outbound-owner-groups", most), ("force-iptables-binary", "legacy")).ShouldBeEmpty();
        Flags.Errors(("istio-outbound-owner-groups", more)).ShouldBeEmpty();
    }

    [Fact]
    public void Read_MarkOfTheRulesOwn_IsRefusedWhereItIsUsed()
    {
        Flags.Errors(("istio-inbound-tproxy-mark", "1338"), ("istio-inbound-interception-mode", "TPROXY")).ShouldHaveSingleItem().ShouldContain("'1338'");
        Flags.Errors(("istio-inbound-tproxy-mark", "1338")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("drop-invalid", "true")]
    [InlineData("force-iptables-binary", "legacy")]
    public void Read_FlagWithoutMeaningInTransparentMode_IsRefused(string flag, string value)
    {
        string error = Flags.Errors((flag, value), ("istio-inbound-interception-mode", "TRANSPARENT")).ShouldHaveSingleItem();
        error.ShouldContain($"--{flag} '{value}'");
        error.ShouldContain("TRANSPARENT");
        Flags.Errors((flag, value)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("envoy-port")]
    [InlineData("inbound-capture-port")]
    [InlineData("inbound-tunnel-port")]
    public void Read_PortOfTheResolver_IsRefusedWhereQueriesAreCaptured(string flag)
    {
        Flags.Errors((flag, "15053"), ("redirect-dns", "true"), ("capture-all-dns", "true")).ShouldHaveSingleItem().ShouldContain($"--{flag} '15053'");
        Flags.Errors((flag, "15053")).ShouldBeEmpty();
    }

    [Fact]
    public void Read_LastPortAsTheProbes_IsRefusedWhereTheOneBeforeIsTheProxys()
    {
        string error = Flags.Errors(("iptables-probe-port", "65535"), ("envoy-port", "65534")).ShouldHaveSingleItem();
        error.ShouldContain("--iptables-probe-port '65535' and --envoy-port '65534'");
        error.ShouldEndWith("this one and 65534");
        Flags.Errors(("iptables-probe-port", "65535")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("15006", "inbound-capture-port", "15006")]
    [InlineData("15000", "envoy-port", "15001")]
    [InlineData("15007", "inbound-tunnel-port", "15008")]
    public void Read_ProbePortOfTheProxy_IsRefusedWhereItIsUsed(string probe, string flag, string port)
    {
        string error = Flags.Errors(("iptables-probe-port", probe)).ShouldHaveSingleItem();
        error.ShouldContain($"--iptables-probe-port '{probe}'");
        error.ShouldContain($"--{flag} '{port}'");
        Flags.Errors(("iptables-probe-port", probe), ("verify", "off")).ShouldBeEmpty();
        Flags.Errors(("iptables-probe-port", probe), ("verify", "off"), ("run-validation", "true")).ShouldHaveSingleItem();
    }
}
