using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Explain;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Tests.Oracle;
using MeshL4.TestKit.Laboratory;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Explain;

public class DeadRulesTests
{
    private static readonly string[] Blocks = ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "::/1", "8000::/1"];

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
    [InlineData("istio-service-cidr=* istio-service-exclude-cidr=0.0.0.0/0,::/0", "all other outbound TCP", 2)]
    [InlineData("istio-outbound-ports=53,80 istio-local-outbound-ports-exclude=80 redirect-dns=true capture-all-dns=true", "outbound ports asked for", 2)]
    public void Of_RequestThatSeveralOthersTakeBack_IsNamedWithAllOfThem(string flags, string why, int covering)
    {
        DeadRule dead = Dead(flags).Single(d => d.Chain.Rules[d.Dead - 1].Why.StartsWith(why, StringComparison.Ordinal));
        dead.Covering.Count.ShouldBe(covering);
        dead.ToString().ShouldContain($"for rules {dead.Covering[0]} and {dead.Covering[1]} cover it together: ");
    }

    [Theory]
    [InlineData("istio-service-cidr=* istio-service-exclude-cidr=0.0.0.0/0,8000::/1")]
    [InlineData("istio-service-cidr=* istio-service-exclude-cidr=0.0.0.0/1,::/0")]
    [InlineData("istio-outbound-ports=53,80,81 istio-local-outbound-ports-exclude=80 redirect-dns=true capture-all-dns=true")]
    public void Of_RequestThatOthersLeaveSomethingOf_IsNotNamed(string flags) => Dead(flags).ShouldBeEmpty();

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

    // Rules drawn from a small world, and every packet of that world: what is named decides nothing, and each rule that covers is needed.
    [Fact]
    public void Of_RandomRules_NamesWhatDecidesNothingAndNoRuleTooMany()
    {
        int together = 0;
        Packet[] world = [.. World()];
        for (int seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            var chain = new RedirectChain(NetfilterTable.Nat, false, [.. Enumerable.Range(0, 9).Select(i => Rule(random, i))]);
            RedirectPlan plan = Plan(chain);
            IReadOnlyList<DeadRule> all = DeadRules.Of(plan);
            HashSet<RedirectRule> met = all.Count == 0 ? [] : new(world.SelectMany(p => plan.Decide(p).Steps).Select(s => s.Rule).OfType<RedirectRule>(), ReferenceEqualityComparer.Instance);
            foreach (DeadRule dead in all)
            {
                RedirectRule rule = chain.Rules[dead.Dead - 1];
                met.ShouldNotContain(rule, dead.ToString());
                together += dead.Covering.Count > 1 ? 1 : 0;
                foreach (int needless in dead.Covering)
                {
                    RedirectRule[] without = [.. dead.Covering.Where(c => c != needless).Select(c => chain.Rules[c - 1]), rule];
                    DeadRules.Of(Plan(chain with { Rules = without })).ShouldNotContain(d => d.Dead == without.Length);
                }
            }
        }

        together.ShouldBeGreaterThan(10);
    }

    [Fact]
    public void Of_MarkThatChangedInBetween_IsNotTakenForTheSame()
    {
        var marked = new MarkMatch(5);
        RedirectRule end = new([marked], RuleVerdict.Return, "ends"), mark = new([], RuleVerdict.Mark(5), "marks");
        DeadRules.Of(Plan(new(NetfilterTable.Mangle, true, [end, mark, end with { Why = "lives" }]))).ShouldBeEmpty();
        DeadRules.Of(Plan(new(NetfilterTable.Mangle, true, [end, end with { Why = "dead" }, mark]))).Single().Dead.ShouldBe(2);
    }

    [Fact]
    public void Of_PacketsWithoutOwner_KeepARuleAlive()
    {
        RedirectRule us = new([OwnerMatch.Of(false, [7])], RuleVerdict.Return, "us"), them = new([OwnerMatch.Of(false, [7], true)], RuleVerdict.Return, "them");
        RedirectRule all = new([], RuleVerdict.Redirect(1), "all"), somebody = new([OwnerMatch.Of(true, [1])], RuleVerdict.Redirect(1), "somebody");
        DeadRules.Of(Plan(new(NetfilterTable.Nat, false, [us, them, all]))).ShouldBeEmpty();
        DeadRules.Of(Plan(new(NetfilterTable.Nat, false, [us, them, somebody]))).ShouldBeEmpty();
        DeadRules.Of(Plan(new(NetfilterTable.Nat, false, [us, them, new([OwnerMatch.Of(false, [6, 7, 8])], RuleVerdict.Drop, "three")]))).Single().Covering.ShouldBe([1, 2]);
    }

    private static RedirectPlan Plan(RedirectChain chain) => RedirectPlanner.Plan(new RedirectOptions()) with { Chains = [chain] };

    private static RedirectRule Rule(Random random, int number)
    {
        var matches = new List<RuleMatch>();
        if (random.Next(2) == 0)
        {
            PortSet? ports = random.Next(3) == 0 ? null : new PortSet([Range(random)]);
            matches.Add(new TransportMatch((Transports)random.Next(1, 4), ports, ports is not null && random.Next(3) == 0));
        }

        if (random.Next(2) == 0)
        {
            matches.Add(new DestinationMatch(CidrSet.Single(Blocks[random.Next(Blocks.Length)]), random.Next(3) == 0));
        }

        if (random.Next(4) == 0)
        {
            matches.Add(new OwnerMatch(random.Next(2) == 0, [new IdRange((uint)random.Next(2), (uint)random.Next(2, 4))], random.Next(3) == 0));
        }

        if (random.Next(4) == 0)
        {
            matches.Add(new FamilyMatch(random.Next(2) == 0 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6));
        }

        return new(matches, random.Next(6) == 0 ? RuleVerdict.SaveMark : RuleVerdict.Redirect(number + 1), $"rule {number + 1}");
    }

    private static PortRange Range(Random random)
    {
        int first = random.Next(1, 5);
        return new(first, random.Next(4) == 0 ? 65535 : random.Next(first, 6));
    }

    private static IEnumerable<Packet> World() =>
        from address in new[] { "1.2.3.4", "200.2.3.4", "1::", "9000::" }
        from transport in new[] { Transports.Tcp, Transports.Udp }
        from port in new[] { 1, 2, 3, 4, 5, 6, 65535 }
        from user in Enumerable.Range(0, 5)
        from gid in Enumerable.Range(0, 5)
        select new Packet
        {
            Inbound = false,
            Interface = "eth0",
            Transport = transport,
            Source = IPAddress.Parse(address),
            Destination = IPAddress.Parse(address),
            DestinationPort = port,
            Uid = (uint)user,
            Gid = (uint)gid,
        };

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
