using System.Net;

namespace MeshL4.Interceptor.Plan;

/// <summary>Flag texts to options. Every error is found before giving up.</summary>
internal sealed class OptionsReader
{
    private static readonly string[] Modes = ["REDIRECT", "TPROXY", "TRANSPARENT"];

    private readonly FlagReader _flags;
    private readonly SystemFiles _files;
    private readonly List<string> _notes = [];

    private OptionsReader(IReadOnlyDictionary<string, FlagValues> given, SystemFiles files) => (_flags, _files) = (new FlagReader(given), files);

    /// <summary>Reads what was given, by flag name without dashes.</summary>
    public static OptionsReading Read(IReadOnlyDictionary<string, FlagValues> given, SystemFiles files)
    {
        var reader = new OptionsReader(given, files);
        RedirectOptions options = reader.Applying(reader.Dns(reader.Proxy(reader.Outbound(reader.Inbound(new RedirectOptions())))));
        OptionsCheck.Together(options, reader._flags);
        return new(options, reader._flags.Errors, reader._notes);
    }

    private RedirectOptions Inbound(RedirectOptions o) => o with
    {
        InboundPorts = _flags.PortsOrAll("istio-inbound-ports"),
        InboundExcludedPorts = _flags.Ports("istio-local-exclude-ports"),
        InboundExcludedSources = _flags.Blocks("subnets-to-ignore"),
        VirtualInterfaces = _flags.Interfaces("kube-virt-interfaces"),
        DropInvalid = _flags.Switch("drop-invalid"),
        RedirectInbound = _flags.Switch("redirect-inbound", true),
    };

    private RedirectOptions Outbound(RedirectOptions o) => o with
    {
        OutboundBlocks = _flags.BlocksOrAll("istio-service-cidr"),
        OutboundExcludedBlocks = _flags.Blocks("istio-service-exclude-cidr"),
        OutboundPorts = _flags.Ports("istio-outbound-ports"),
        OutboundExcludedPorts = _flags.Ports("istio-local-outbound-ports-exclude"),
        UserExclusions = _flags.UserExclusions("exclude-outbound-ports-for-uids"),
        OwnerGroups = _flags.GroupsOrAll("istio-outbound-owner-groups", _files),
        ExcludedOwnerGroups = _flags.Groups("istio-outbound-owner-groups-exclude", _files),
        LoopbackBlock = _flags.Loopback("istio-outbound-ipv4-loopback-cidr", o.LoopbackBlock),
        RedirectOutbound = _flags.Switch("redirect-outbound", true),
    };

    private RedirectOptions Proxy(RedirectOptions o)
    {
        IReadOnlyList<uint> uids = _flags.Ids("proxy-uid", _flags.Has("proxy-uid") ? o.ProxyUids : User(o.ProxyUids));
        return o with
        {
            OutboundPort = _flags.Port("envoy-port", o.OutboundPort),
            InboundPort = _flags.Port("inbound-capture-port", o.InboundPort),
            TunnelPort = _flags.Port("inbound-tunnel-port", o.TunnelPort),
            ProxyUids = uids,
            ProxyGids = _flags.Ids("proxy-gid", uids),
            Mode = _flags.OneOf("istio-inbound-interception-mode", Modes) switch
            {
                "TPROXY" => InterceptionMode.Tproxy,
                "TRANSPARENT" => InterceptionMode.Transparent,
                _ => InterceptionMode.Redirect,
            },
            UdpPorts = _flags.PortsOrAll("capture-udp"),
            Mark = _flags.One<uint>("istio-inbound-tproxy-mark", o.Mark, t => EntryParser.TryId(t, out uint mark) && mark > 0 ? mark : null,
                "not a mark (1 to 4294967294)"),
            RouteTable = _flags.One<int>("istio-inbound-tproxy-route-table", o.RouteTable, Table,
                "not a routing table of one's own (1 to 2147483647, and not 253, 254 or 255, which are the system's, nor 31300 to 31307, which a verification needs)"),
        };
    }

    private RedirectOptions Dns(RedirectOptions o)
    {
        bool wanted = _flags.Switch("redirect-dns");
        bool all = _flags.Switch("capture-all-dns");
        IReadOnlyList<IPAddress> named = _flags.Addresses("dns-servers");
        if (!wanted && (all || named.Count > 0))
        {
            _notes.Add($"{_flags.Origin(all ? "capture-all-dns" : "dns-servers")}: captures nothing without --redirect-dns");
        }

        if (!wanted || all)
        {
            return o with { Dns = wanted ? DnsCapture.All : DnsCapture.None };
        }

        // Given and empty means none, as resolv.conf without a server does.
        IReadOnlyList<IPAddress> servers = named.Count > 0 || _flags.IsNamed("dns-servers") ? named : _files.NameServers();
        if (servers.Count == 0)
        {
            _notes.Add($"{_flags.Origin("redirect-dns")}: no name server in resolv.conf, so no query is captured; --capture-all-dns captures every one");
        }

        return o with { Dns = servers.Count == 0 ? DnsCapture.None : DnsCapture.Servers, DnsServers = servers };
    }

    private RedirectOptions Applying(RedirectOptions o) => o with
    {
        ExcludedInterfaces = _flags.Interfaces("istio-exclude-interfaces"),
        WithIpv6 = _flags.OneOf("ipv6", "on", "off") != "off",
        Ipv6ByAddresses = !_flags.Has("ipv6"),
        DualStack = _flags.Switch("dual-stack"),
        DryRun = _flags.Switch("dry-run"),
        CleanupOnly = _flags.Switch("cleanup-only"),
        ForceApply = _flags.Switch("force-apply"),
        Reconcile = _flags.Switch("reconcile", true),
        CniMode = _flags.Switch("cni-mode"),
        NetworkNamespace = _flags.Text("network-namespace"),
        NativeNftables = _flags.Switch("native-nftables"),
        ForcedIptables = _flags.OneOf("force-iptables-binary", "legacy", "nft"),
        Verify = _flags.OneOf("verify", "on", "strict", "off") switch { "strict" => VerifyMode.Strict, "off" => VerifyMode.Off, _ => VerifyMode.On },
        RunValidation = _flags.Switch("run-validation"),
        SkipRuleApply = _flags.Switch("skip-rule-apply"),
        ProbePort = _flags.Port("iptables-probe-port", o.ProbePort),
        ProbeTimeout = _flags.Duration("probe-timeout", o.ProbeTimeout),
    };

    private IReadOnlyList<uint> User(IReadOnlyList<uint> fallback)
    {
        if (_files.User(_flags.Text("envoy-user") ?? "istio-proxy") is uint id)
        {
            return [id];
        }

        if (_flags.Text("envoy-user") is string name)
        {
            _notes.Add($"{_flags.Origin("envoy-user")} '{name}': no such user, so the proxy's user is {fallback[0]}");
        }

        return fallback;
    }

    private static int? Table(string text) =>
        EntryParser.TryId(text, out uint table) && table is >= 1 and <= int.MaxValue and not (253 or 254 or 255)
            and not (>= RedirectOptions.FirstVerificationTable and < RedirectOptions.FirstVerificationTable + RedirectOptions.VerificationTables) ? (int)table : null;
}
