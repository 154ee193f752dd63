using System.Globalization;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>For options by chance: what the plan decides, what the kernel does with the nft rendering and what it does with the iptables
/// rendering are the same, packet by packet. MESHL4_PROPERTY_RUNS sets how many options, MESHL4_PROPERTY_SEED repeats a run.</summary>
public class AgreementTests(ITestOutputHelper output)
{
    private const int Runs = 25;
    private const int Seed = 20261121;

    [Fact]
    public void RandomOptions_DecideNftAndIptables_AgreeOnEveryPacket()
    {
        int seed = Number("MESHL4_PROPERTY_SEED", Seed);
        for (int run = 0; run < Number("MESHL4_PROPERTY_RUNS", Runs); run++)
        {
            RedirectOptions options = RandomOptions.Next(new Random(seed + run));
            string name = $"seed {seed + run}: {RandomOptions.Describe(options)}";
            output.WriteLine(name);
            RedirectPlan plan = RedirectPlanner.Plan(options);
            VerdictTable decided = PlanVerdicts.Decided(plan);

            PlanVerdicts.Measured(options, null).Differences(decided).ShouldBeEmpty($"{name}\nnft / Decide");
            (IptablesText.Obstacle(plan) is not null).ShouldBe(options.Mode == InterceptionMode.Transparent);
            if (options.Mode == InterceptionMode.Transparent)
            {
                Should.Throw<RedirectException>(() => PlanVerdicts.Measured(options, "nft")).Message.ShouldContain("needs nft");
                continue;
            }

            string iptables = run % 2 == 0 ? "nft" : "legacy";
            PlanVerdicts.Measured(options, iptables).Differences(decided).ShouldBeEmpty($"{name}\niptables-{iptables} / Decide");
        }
    }

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
