using System.Text.RegularExpressions;
using MeshL4.Interceptor.Plan;
using MeshL4.TestKit.Laboratory;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>Istio's golden rule sets, read from a copy of its public repository (github.com/istio/istio) that is no part of this one.</summary>
/// <param name="source">The copy's top folder.</param>
internal sealed partial class IstioGoldens(string source)
{
    /// <summary>The variable that names the folder.</summary>
    public const string Variable = "MESHL4_ISTIO_SOURCE";

    /// <summary>Puts a case's rules into the pod, as Istio's own programs would.</summary>
    public void Load(PacketLaboratory laboratory, IstioCase @case, string backend)
    {
        string text = File.ReadAllText(Path.Combine(source, "tools", backend == IstioCase.Nft ? "istio-nftables" : "istio-iptables", "pkg", "capture", "testdata", @case.Name + ".golden"));
        text = Group().Replace(text, name => name.Value == "java" ? "9001" : "9002");
        string pod = laboratory.Pod.Name;
        if (backend == IstioCase.Nft)
        {
            Run.Feed("ip", text, "netns", "exec", pod, "nft", "-f", "-");
        }
        else
        {
            (string v4, string v6) = Families(text);
            Run.Feed("ip", v4, "netns", "exec", pod, "iptables-nft-restore");
            if (v6.Length > 0)
            {
                Run.Feed("ip", v6, "netns", "exec", pod, "ip6tables-nft-restore");
            }
        }

        Route(laboratory, @case);
    }

    // Istio's programs make these routes beside the rules, for the families that are on, and only where inbound ports are captured.
    private static void Route(PacketLaboratory laboratory, IstioCase @case)
    {
        RedirectOptions options = @case.Options;
        if (options.Mode == InterceptionMode.Tproxy && (options.InboundPorts.All || !options.InboundPorts.Ports.IsEmpty))
        {
            string[] delivery = ["rule add fwmark 1337 lookup 133", "route add local default dev lo table 133"];
            laboratory.Pod.Ip(delivery);
            if (options.WithIpv6)
            {
                laboratory.Pod.Ip6(delivery);
            }
        }
    }

    // The file is a log of commands: the tables of IPv4, then those of IPv6, with the programs that were run between them.
    private static (string V4, string V6) Families(string text)
    {
        var seen = new HashSet<string>();
        List<string> v4 = [], v6 = [];
        List<string> current = v4;
        foreach (string line in text.Split('\n').Where(l => !l.EndsWith("-save", StringComparison.Ordinal)))
        {
            if (line.StartsWith("* ", StringComparison.Ordinal))
            {
                current = seen.Add(line) ? v4 : v6;
            }

            current.Add(line.StartsWith("* ", StringComparison.Ordinal) ? "*" + line[2..] : line);
        }

        return (string.Join('\n', v4) + "\n", v6.Count == 0 ? "" : string.Join('\n', v6) + "\n");
    }

    // Names of groups that a machine need not have.
    [GeneratedRegex(@"\b(java|ftp)\b")]
    private static partial Regex Group();
}
