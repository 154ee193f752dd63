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
        List<Difference> all = [.. IstioCase.All.SelectMany(Differences)];

        List<Difference> unlisted = [.. all.Where(d => !KnownDifferences.All.Any(k => k.Explains(d)))];
        unlisted.Count.ShouldBe(0, string.Join('\n', Lines(unlisted).Take(150)));
        foreach (KnownDifference known in KnownDifferences.All)
        {
            int packets = all.Count(known.Explains);
            output.WriteLine($"{known.Name}: {packets} packets");
            packets.ShouldBeGreaterThan(0, $"{known.Name} is listed and does not occur");
        }
    }

    [Fact]
    public void Document_OfDifferences_HasThemAllAndNoOther()
    {
        string document = File.ReadAllText(Path.Combine(Path.GetDirectoryName(OracleFile.Path)!, "..", "..", "..", "docs", "istio-differences.md"));

        document.Split('\n').Where(l => l.StartsWith("| `", StringComparison.Ordinal)).Select(l => l.Split('`')[1])
            .ShouldBe(KnownDifferences.All.Select(k => k.Name), ignoreOrder: true);
    }

    // A line for each cell and not for each packet.
    private static IEnumerable<string> Lines(IEnumerable<Difference> differences) => differences
        .GroupBy(d => $"{d.Case.Name} {d.Backend}: {d.Row.Label} as {d.Owner.Label}")
        .Select(g => $"{g.Key}: ports {string.Join(' ', g.Select(d => d.Port))}: ours {string.Concat(g.Select(d => d.Ours))}, Istio's {string.Concat(g.Select(d => d.Theirs))}");

    private static IEnumerable<Difference> Differences(IstioCase @case)
    {
        IReadOnlyDictionary<(string Case, string Backend), VerdictTable> oracle = OracleFile.Read();
        return from backend in new[] { IstioCase.Nft, IstioCase.Iptables }.Where(@case.Has)
               let ours = PlanVerdicts.Measured(@case.Options, backend == IstioCase.Nft ? null : "nft")
               let theirs = oracle[(@case.Name, backend)]
               from row in PacketTable.Rows
               from owner in row.Owners
               from port in Enumerable.Range(0, PacketTable.Ports.Length)
               where ours[row, owner][port] != theirs[row, owner][port]
               select new Difference(@case, backend, row, owner, PacketTable.Ports[port], ours[row, owner][port], theirs[row, owner][port]);
    }
}
