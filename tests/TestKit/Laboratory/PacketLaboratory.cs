using System.Net;
using MeshL4.TestKit.Networks;

namespace MeshL4.TestKit.Laboratory;

/// <summary>
/// A pod as rules meet it, and a world around it in which every address answers. Root only.
/// <code>
///   outside (any address) ── eth0 ── pod ── eth1 ── virtual machine
///                       └── not-istio-nic ──┘
/// </code>
/// The pod forwards for the virtual machine. The addresses <see cref="ViaSideNetwork"/> are routed through the second interface,
/// everything else through eth0.
/// </summary>
internal sealed class PacketLaboratory : IDisposable
{
    /// <summary>The pod's second interface.</summary>
    public const string SideInterface = "not-istio-nic";

    /// <summary>The interface of the virtual machine.</summary>
    public const string VirtualInterface = "eth1";

    private const uint Application = 1000;

    // Where it is off the kernel drops whatever comes to loopback from outside and was not translated: on, rules show what they do.
    private const string RouteLocalnet = "ipv4/conf/all/route_localnet=1";

    private readonly NetworkNamespace _pod = new("ml4lab-pod");
    private readonly NetworkNamespace _outside = new("ml4lab-out");
    private readonly NetworkNamespace _machine = new("ml4lab-vm");
    private readonly LandingSites _sites = new();
    private readonly int[] _ports;
    private readonly uint _proxy;
    private int _nextSourcePort = 20000;

    /// <summary>Builds it.</summary>
    /// <param name="ports">Ports that destinations listen on, over TCP and UDP, beside the proxy's.</param>
    /// <param name="proxy">User and group id that the proxy's sockets belong to: rules know its answers by it.</param>
    public PacketLaboratory(int[] ports, uint proxy = 1337)
    {
        _ports = ports;
        _proxy = proxy;
        SetKernel(_pod, RouteLocalnet, "ipv4/ip_forward=1", "ipv6/conf/all/forwarding=1");
        SetKernel(_outside, RouteLocalnet);
        SetKernel(_machine);
        NetworkNamespace.Join(("eth0", _pod, ["10.77.0.2/24", "fd77::2/64"]), ("eth0", _outside, ["10.77.0.1/24", "fd77::1/64"]));
        NetworkNamespace.Join((SideInterface, _pod, ["10.78.0.2/24", "fd78::2/64"]), ("side", _outside, ["10.78.0.1/24", "fd78::1/64"]));
        NetworkNamespace.Join((VirtualInterface, _pod, ["10.81.0.1/24", "fd81::1/64"]), ("eth0", _machine, ["10.81.0.2/24", "fd81::2/64"]));
        _pod.Ip(
            "addr add ::6/128 dev lo nodad", "route add default via 10.77.0.1", "route add default via fd77::1",
            "route add 198.51.100.0/24 via 10.78.0.1", "route add 3fff:78::/32 via fd78::1");
        NetworkNamespace.AwaitLocalRoutes(_pod, "::6");
        _machine.Ip("route add default via 10.81.0.1", "route add default via fd81::1");
        // Without an address of its own on lo it has no route to loopback but the one through the pod.
        _outside.Ip(
            "addr del 127.0.0.1/8 dev lo", "route add 127.0.0.0/8 via 10.77.0.2", "route add local default dev lo table main", "route add local ::/0 dev lo table main", "route add 10.81.0.0/24 via 10.77.0.2", "route add fd81::/64 via fd77::2");
        OpenSites();
    }

    /// <summary>The pod's namespace: apply rules here.</summary>
    public NetworkNamespace Pod => _pod;

    /// <summary>An IPv4 and an IPv6 address that the pod reaches through its second interface.</summary>
    public static IReadOnlyList<IPAddress> ViaSideNetwork { get; } = [IPAddress.Parse("198.51.100.1"), IPAddress.Parse("3fff:78::1")];

    /// <summary>Addresses the pod has on eth0, the second interface and eth1, IPv4 and IPv6 in turn.</summary>
    public static IReadOnlyList<IPAddress> OfPod { get; } =
        [.. new[] { "10.77.0.2", "fd77::2", "10.78.0.2", "fd78::2", "10.81.0.1", "fd81::1" }.Select(IPAddress.Parse)];

    /// <summary>Sends every probe and says where each came out, in the same order. A probe without an answer is sent once more: a busy
    /// machine loses a datagram now and then, rules lose it every time.</summary>
    public IReadOnlyList<Landing> Send(IReadOnlyList<Probe> probes)
    {
        // On a thread of its own: it changes namespaces and owners as it goes.
        var landings = new Landing[probes.Count];
        NetworkNamespace.In(_pod.Name, () =>
        {
            SendAll([.. Enumerable.Range(0, probes.Count)]);
            SendAll([.. Enumerable.Range(0, probes.Count).Where(i => landings[i].Verdict == Verdict.Lost || !landings[i].Answered)]);
            return true;
        });
        return landings;

        void SendAll(int[] numbers)
        {
            foreach (int[] some in numbers.Chunk(ProbeBatch.Most))
            {
                IReadOnlyList<Landing> came = SendBatch([.. some.Select(i => probes[i])]);
                for (int i = 0; i < some.Length; i++)
                {
                    landings[some[i]] = came[i];
                }
            }
        }
    }

    public void Dispose()
    {
        _sites.Dispose();
        _machine.Dispose();
        _outside.Dispose();
        _pod.Dispose();
    }

    private IReadOnlyList<Landing> SendBatch(Probe[] probes)
    {
        using var batch = new ProbeBatch(probes, _sites.All, origin => (origin switch
        {
            Origin.Pod => _pod,
            Origin.VirtualMachine => _machine,
            _ => _outside,
        }).Name, NextSourcePort);
        return batch.Run();
    }

    // Each probe has a source port of its own: it is known by it wherever it comes out, and no entry of the kernel's connection table,
    // made under rules that are gone, decides for it.
    private int NextSourcePort()
    {
        do
        {
            _nextSourcePort++;
        }
        while (_ports.Contains(_nextSourcePort));
        return _nextSourcePort < 60000 ? _nextSourcePort : throw new InvalidOperationException("40000 probes are the most that one laboratory can send");
    }

    private void OpenSites()
    {
        Open(_pod, [(15001, Verdict.Outbound), (15006, Verdict.Inbound), (15053, Verdict.Dns), .. _ports.Select(p => (p, (Verdict?)null))]);
        Open(_outside, [.. _ports.Select(p => (p, (Verdict?)null))]);
    }

    private void Open(NetworkNamespace ns, (int Port, Verdict? Capture)[] ports) => NetworkNamespace.In(ns.Name, () =>
    {
        foreach ((int port, Verdict? capture) in ports)
        {
            _sites.Open(ns.Name, port, capture, capture is null ? Application : _proxy);
        }

        return true;
    });

    // /proc/sys/net shows the settings of the reader's own namespace.
    private static void SetKernel(NetworkNamespace ns, params string[] more) => NetworkNamespace.In(ns.Name, () =>
    {
        // Rates of ICMP errors are bounded by default: a refused datagram would look like a lost one.
        string[] settings =
        [
            "ipv4/conf/all/rp_filter=0", "ipv4/conf/default/rp_filter=0", "ipv4/icmp_ratelimit=0", "ipv6/icmp/ratelimit=0",
            "ipv6/conf/all/disable_ipv6=0", "ipv6/conf/default/disable_ipv6=0",
            .. more,
        ];
        foreach (string[] setting in settings.Select(s => s.Split('=')))
        {
            File.WriteAllText($"/proc/sys/net/{setting[0]}", setting[1]);
        }

        return true;
    });
}
