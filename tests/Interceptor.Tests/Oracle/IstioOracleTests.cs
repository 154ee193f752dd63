using MeshL4.TestKit.Laboratory;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>Istio's golden rule sets in real namespaces, with real packets. With MESHL4_WRITE_GOLDEN=1 the verdicts are written anew.</summary>
public class IstioOracleTests
{
    [FactWithIstioSource]
    public void Goldens_WithEveryPacket_GiveTheCommittedVerdicts()
    {
        string folder = Environment.GetEnvironmentVariable(IstioGoldens.Variable)!;
        var goldens = new IstioGoldens(folder);
        var tables = new Dictionary<(string Case, string Backend), VerdictTable>();
        foreach (IstioCase @case in IstioCase.All)
        {
            foreach (string backend in new[] { IstioCase.Nft, IstioCase.Iptables }.Where(@case.Has))
            {
                using var laboratory = new PacketLaboratory(PacketTable.Ports, @case.Options.ProxyUids[0]);
                goldens.Load(laboratory, @case, backend);
                tables[(@case.Name, backend)] = VerdictTable.Measure(laboratory);
            }
        }

        string text = OracleFile.Write(tables);
        if (Environment.GetEnvironmentVariable("MESHL4_WRITE_GOLDEN") == "1")
        {
            File.WriteAllText(OracleFile.Path, text);
        }

        text.ShouldBe(File.ReadAllText(OracleFile.Path));
    }

    [FactWithIstioSource]
    public void Cases_AreTheGoldensThereAre()
    {
        string folder = Environment.GetEnvironmentVariable(IstioGoldens.Variable)!;
        foreach ((string backend, string tool) in new[] { (IstioCase.Nft, "istio-nftables"), (IstioCase.Iptables, "istio-iptables") })
        {
            IEnumerable<string> files = Directory.EnumerateFiles(Path.Combine(folder, "tools", tool, "pkg", "capture", "testdata"), "*.golden")
                .Select(f => Path.GetFileNameWithoutExtension(f));

            IstioCase.All.Where(c => c.Has(backend)).Select(c => c.Name).ShouldBe(files, ignoreOrder: true);
        }
    }

    [Fact]
    public void File_ReadAndWritten_IsTheSame() => OracleFile.Write(OracleFile.Read()).ShouldBe(File.ReadAllText(OracleFile.Path));
}
