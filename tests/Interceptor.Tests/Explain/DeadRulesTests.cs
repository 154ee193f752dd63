using MeshL4.Interceptor.Explain;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Tests.Oracle;
using MeshL4.TestKit.Laboratory;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Explain;

public class DeadRulesTests
{
    [Theory]
    [InlineData("istio-service-cidr=10.1.0.0/16 istio-service-exclude-cidr=10.0.0.0/8", "destinations asked for")]
    [InlineData("istio-outbound-ports=80 istio-local-outbound-ports-exclude=79-81", "outbound ports asked for")]
    [InlineData("istio-service-cidr=* istio-service-exclude-cidr=127.0.0.1", "destinations excluded")]
    [InlineData("istio-inbound-ports=* istio-exclude-interfaces=eth+,eth0", "interface excluded")]
    [InlineData("istio-service-cidr=* exclude-outbound-ports-for-uids=tcp:22:1337", "ports excluded for these users")]
    [InlineData("istio-inbound-ports=* istio-local-exclude-ports=15008", "inbound ports excluded")]
    public void Of_RequestThatAnotherTakesBack_IsNamed(string flags, string why) =>
        Dead(flags).ShouldContain(d => d.Chain.Rules[d.Dead - 1].Why.StartsWith(why, StringComparison.Ordinal));

    [Theory]
    [InlineData("istio-inbound-ports=* istio-service-cidr=*")]
    [InlineData("istio-inbound-ports=* istio-service-cidr=* redirect-dns=true capture-all-dns=true drop-invalid=true")]
    [InlineData("istio-inbound-ports=* istio-service-cidr=10.0.0.0/8 istio-service-exclude-cidr=10.1.0.0/16 istio-local-outbound-ports-exclude=80 istio-outbound-ports=80-81")]
    public void Of_OrdinaryRequests_NamesNone(string flags) => Dead(flags).ShouldBeEmpty();

    // The claim itself, over many plans: no packet is decided by a rule that is called dead.
    [Fact]
    public void Of_RandomOptions_NoPacketIsDecidedByADeadRule()
    {
        int dead = 0;
        for (int seed = 0; seed < 60; seed++)
        {
            RedirectPlan plan = RedirectPlanner.Plan(RandomOptions.Next(new Random(seed)));
            HashSet<RedirectRule> named = new(DeadRules.Of(plan).Select(d => d.Chain.Rules[d.Dead - 1]), ReferenceEqualityComparer.Instance);
            dead += named.Count;
            Packets().SelectMany(p => plan.Decide(p).Steps).ShouldAllBe(s => s.Rule == null || !named.Contains(s.Rule));
        }

        dead.ShouldBeGreaterThan(0);
    }

    private static IEnumerable<Packet> Packets() =>
        from row in PacketTable.Rows
        from owner in row.Owners
        from port in PacketTable.Ports
        select new Packet
        {
            Inbound = row.Probe.From != Origin.Pod,
            Interface = row.Interface,
            Transport = row.Probe.Transport,
            Source = row.Source,
            Destination = row.Probe.Destination,
            DestinationPort = port,
            Uid = owner.Uid,
            Gid = owner.Gid,
        };

    private static IReadOnlyList<DeadRule> Dead(string flags) => DeadRules.Of(RedirectPlanner.Plan(
        Flags.Options([.. flags.Split(' ').Select(f => f.Split('=', 2)).Select(f => (f[0], f[1]))])));
}
