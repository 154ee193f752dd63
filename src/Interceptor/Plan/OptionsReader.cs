using System.Net;

namespace MeshL4.Interceptor.Plan;

/// <summary>Flag texts to options. Collects every error before giving up, each naming the flag and the value.</summary>
internal sealed class OptionsReader
{
    private readonly IReadOnlyDictionary<string, FlagValues> _given;
    private readonly List<string> _errors = [];

    private OptionsReader(IReadOnlyDictionary<string, FlagValues> given) => _given = given;

    /// <summary>Reads what was given, by flag name without dashes.</summary>
    /// <returns>True when everything is valid; otherwise every error is in <paramref name="errors"/>.</returns>
    public static bool TryRead(IReadOnlyDictionary<string, FlagValues> given, out RedirectOptions options, out IReadOnlyList<string> errors)
    {
        var reader = new OptionsReader(given);
        options = reader.Read();
        reader.CheckTogether(options);
        errors = reader._errors;
        return reader._errors.Count == 0;
    }

    private RedirectOptions Read()
    {
        var defaults = new RedirectOptions();
        IReadOnlyList<uint> uids = Ids("proxy-uid", defaults.ProxyUids);
        return new RedirectOptions
        {
            OutboundPort = Port("envoy-port", defaults.OutboundPort),
            InboundPort = Port("inbound-capture-port", defaults.InboundPort),
            TunnelPort = Port("inbound-tunnel-port", defaults.TunnelPort),
            ProxyUids = uids,
            ProxyGids = Ids("proxy-gid", uids),
            InboundPorts = PortsOrAll("istio-inbound-ports"),
            InboundExcludedPorts = Ports("istio-local-exclude-ports"),
            OutboundBlocks = BlocksOrAll("istio-service-cidr"),
            OutboundExcludedBlocks = Blocks("istio-service-exclude-cidr"),
            OutboundPorts = Ports("istio-outbound-ports"),
            OutboundExcludedPorts = Ports("istio-local-outbound-ports-exclude"),
            ExcludedInterfaces = Interfaces("istio-exclude-interfaces"),
            LoopbackBlock = Loopback("istio-outbound-ipv4-loopback-cidr", defaults.LoopbackBlock),
            WithIpv6 = OneOf("ipv6", "on", "off") != "off",
            ForcedIptables = OneOf("force-iptables-binary", "legacy", "nft"),
            NativeNftables = Switch("native-nftables"),
            DryRun = Switch("dry-run"),
            CleanupOnly = Switch("cleanup-only"),
            Verify = OneOf("verify", "on", "strict", "off") switch { "strict" => VerifyMode.Strict, "off" => VerifyMode.Off, _ => VerifyMode.On },
            RunValidation = Switch("run-validation"),
            SkipRuleApply = Switch("skip-rule-apply"),
            ProbePort = Port("iptables-probe-port", defaults.ProbePort),
            ProbeTimeout = Duration("probe-timeout", defaults.ProbeTimeout),
        };
    }

    private void CheckTogether(RedirectOptions o)
    {
        _ = OneOf("istio-inbound-interception-mode", "REDIRECT");
        if (Switch("dual-stack") && !o.WithIpv6)
        {
            _errors.Add("--dual-stack and --ipv6 'off': only one of them can hold");
        }

        if (o.OutboundPort == o.InboundPort)
        {
            _errors.Add($"--envoy-port '{o.OutboundPort}' and --inbound-capture-port '{o.InboundPort}': the proxy needs two ports");
        }

        if (o.TunnelPort == o.InboundPort || o.TunnelPort == o.OutboundPort)
        {
            _errors.Add($"--inbound-tunnel-port '{o.TunnelPort}': already the port of a capture");
        }

        if (o.NativeNftables && o.ForcedIptables is not null)
        {
            _errors.Add($"--native-nftables and --force-iptables-binary '{o.ForcedIptables}': only one of them can hold");
        }
    }

    private T Each<T>(string flag, T nothing, Func<FlagValues, T> read) =>
        _given.TryGetValue(flag, out FlagValues? values) && values.Values.Count > 0 ? read(values) : nothing;

    private int Port(string flag, int fallback) => Each(flag, fallback, v =>
    {
        if (EntryParser.TryPort(v.Last, out int port))
        {
            return port;
        }

        Refuse(v, v.Last, "not a port (1 to 65535)");
        return fallback;
    });

    private TimeSpan Duration(string flag, TimeSpan fallback) => Each(flag, fallback, v =>
    {
        if (EntryParser.TryDuration(v.Last, out TimeSpan duration))
        {
            return duration;
        }

        Refuse(v, v.Last, "not a duration (as 500ms, 5s or 1m30s; more than nothing, at most an hour)");
        return fallback;
    });

    private PortSet Ports(string flag) => Each(flag, new PortSet([]), v => new PortSet(PortList(v, v.Entries)));

    private PortChoice PortsOrAll(string flag) => Each(flag, new PortChoice(false, new PortSet([])), v =>
        v.Entries.Contains("*")
            ? new PortChoice(AloneOrRefuse(v), new PortSet([]))
            : new PortChoice(false, new PortSet(PortList(v, v.Entries))));

    private List<PortRange> PortList(FlagValues v, IEnumerable<string> entries)
    {
        var ranges = new List<PortRange>();
        foreach (string entry in entries)
        {
            if (EntryParser.TryPortRange(entry, out PortRange range))
            {
                ranges.Add(range);
            }
            else
            {
                Refuse(v, entry, "not a port or range of ports (1 to 65535, as 80 or 8000-8010)");
            }
        }

        return ranges;
    }

    private List<IPNetwork> Blocks(string flag) => Each(flag, [], v => BlockList(v));

    private CidrChoice BlocksOrAll(string flag) => Each(flag, new CidrChoice(false, []), v =>
        v.Entries.Contains("*") ? new CidrChoice(AloneOrRefuse(v), []) : new CidrChoice(false, BlockList(v)));

    private List<IPNetwork> BlockList(FlagValues v)
    {
        var blocks = new List<IPNetwork>();
        foreach (string entry in v.Entries)
        {
            if (EntryParser.TryBlock(entry, out IPNetwork block))
            {
                blocks.Add(block);
            }
            else
            {
                Refuse(v, entry, "not an address block (as 10.0.0.0/8 or 2001:db8::/32)");
            }
        }

        return blocks;
    }

    private bool AloneOrRefuse(FlagValues v)
    {
        if (v.Entries.Count() > 1)
        {
            Refuse(v, string.Join(',', v.Values), "'*' already means everything and must stand alone");
        }

        return true;
    }

    private IPNetwork Loopback(string flag, IPNetwork fallback) => Each(flag, fallback, v =>
    {
        if (EntryParser.TryBlock(v.Last, out IPNetwork block) && block.PrefixLength >= 8 && IPAddress.IsLoopback(block.BaseAddress)
            && block.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork)
        {
            return block;
        }

        Refuse(v, v.Last, "not a block inside 127.0.0.0/8");
        return fallback;
    });

    private IReadOnlyList<uint> Ids(string flag, IReadOnlyList<uint> fallback) => Each(flag, fallback, v =>
    {
        var ids = new List<uint>();
        foreach (string entry in v.Entries)
        {
            if (EntryParser.TryId(entry, out uint id))
            {
                ids.Add(id);
            }
            else
            {
                Refuse(v, entry, "not a numeric id (0 to 4294967294)");
            }
        }

        return ids.Count == 0 ? fallback : [.. ids.Distinct()];
    });

    private List<string> Interfaces(string flag) => Each(flag, [], v =>
    {
        foreach (string entry in v.Entries.Where(e => !EntryParser.IsInterface(e)))
        {
            Refuse(v, entry, "not an interface name");
        }

        return (List<string>)[.. v.Entries.Distinct()];
    });

    private string? OneOf(string flag, params string[] allowed) => Each<string?>(flag, null, v =>
    {
        if (v.Last.Length > 0 && !allowed.Contains(v.Last))
        {
            Refuse(v, v.Last, $"must be {string.Join(" or ", allowed)}");
        }

        return v.Last.Length == 0 ? null : v.Last;
    });

    private bool Switch(string flag) => Each(flag, false, v =>
    {
        if (v.Last.Length > 0 && !bool.TryParse(v.Last, out _))
        {
            Refuse(v, v.Last, "must be true or false");
        }

        return bool.TryParse(v.Last, out bool on) && on;
    });

    private void Refuse(FlagValues v, string value, string why) => _errors.Add($"{v.Origin} '{value}': {why}");
}
