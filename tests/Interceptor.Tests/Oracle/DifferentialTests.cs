using MeshL4.Interceptor.Plan;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>Istio's configurations through our options, planner and backends, with the oracle's packets: the verdicts are Istio's, but for
/// the differences that are listed.</summary>
public class DifferentialTests(ITestOutputHelper output)
{
    [Fact]
    public void EveryCase_OurRulesAndIstios_DifferOnlyAsListed()
    {
        List<Difference> all = [.. Cases.SelectMany(Differences)];

        List<Difference> unlisted = [.. all.Where(d => !KnownDifferences.All.Any(k => k.Explains(d)))];
        unlisted.Count.ShouldBe(0, string.Join('\n', unlisted.Take(200)));
        foreach (KnownDifference known in KnownDifferences.All)
        {
            int packets = all.Count(known.Explains);
            output.WriteLine($"{known.Name}: {packets} packets");
            packets.ShouldBeGreaterThan(0, $"{known.Name} is listed and does not occur");
        }
    }

    [Fact]
    public void Cases_WithFlagsThatWeDoNotHave_AreThoseListed() =>
        IstioCase.All.Except(Cases).Select(c => c.Name).ShouldBe(NotYet, ignoreOrder: true);

    [Fact]
    public void Document_OfDifferences_HasThemAllAndNoOther()
    {
        string document = File.ReadAllText(Path.Combine(Path.GetDirectoryName(OracleFile.Path)!, "..", "..", "..", "docs", "istio-differences.md"));

        document.Split('\n').Where(l => l.StartsWith("| `", StringComparison.Ordinal)).Select(l => l.Split('`')[1])
            .ShouldBe(KnownDifferences.All.Select(k => k.Name), ignoreOrder: true);
    }

    // Configurations that our options cannot say yet.
    private static readonly string[] NotYet =
    [
        "dns-uid-gid", "drop-invalid", "inbound-ports-empty-tproxy", "inbound-ports-tproxy", "inbound-ports-wildcard-tproxy", "ip-range",
        "ipnets-with-kube-virt-interfaces", "ipv6-dns-outbound-owner-groups", "ipv6-dns-outbound-owner-groups-exclude", "ipv6-dns-uid-gid", "ipv6-ipnets",
        "ipv6-uid-gid", "ipv6-virt-interfaces", "kube-virt-interfaces", "loopback-outbound-iprange", "outbound-owner-groups", "outbound-owner-groups-exclude", "tproxy",
    ];

    private static IEnumerable<IstioCase> Cases => IstioCase.All.Where(c => Given(c).All(f => RedirectFlag.All.Any(known => known.Name == f.Flag))
        && !c.Flags.Contains("TPROXY", StringComparison.Ordinal));

    private static IEnumerable<Difference> Differences(IstioCase @case)
    {
        IReadOnlyDictionary<(string Case, string Backend), VerdictTable> oracle = OracleFile.Read();
        RedirectOptions options = Flags.Options([.. Given(@case)]);
        return from backend in new[] { IstioCase.Nft, IstioCase.Iptables }.Where(@case.Has)
               let ours = PlanVerdicts.Measured(options, backend == IstioCase.Nft ? null : "nft")
               let theirs = oracle[(@case.Name, backend)]
               from row in PacketTable.Rows
               from owner in row.Owners
               from port in Enumerable.Range(0, PacketTable.Ports.Length)
               where ours[row, owner][port] != theirs[row, owner][port]
               select new Difference(@case, backend, row, owner, PacketTable.Ports[port], ours[row, owner][port], theirs[row, owner][port]);
    }

    private static IEnumerable<(string Flag, string Value)> Given(IstioCase @case) => @case.Flags.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(f => f.Split('=', 2)).Select(f => (f[0], f[1]));
}
