using System.Diagnostics;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Plan;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Apply;

public class RuleSetterTests
{
    private static readonly (string, string)[] Wide =
    [
        ("istio-inbound-ports", "*"), ("istio-local-exclude-ports", "15090,15021,8000-8010"), ("istio-service-cidr", "*"),
        ("istio-service-exclude-cidr", "11.0.0.0/8,12.0.0.0/8,10.1.0.0/16,2001:db8::/32,::ffff:1.2.3.0/120,fd00::1"),
        ("istio-local-outbound-ports-exclude", "22,5432-5440"), ("istio-exclude-interfaces", "eth7,veth+"), ("proxy-uid", "1337,4"),
    ];

    // As nftables 1.1.4 lists a set that packets have filled.
    [Fact]
    public void TableLines_SetWithTheNumberOfItsElements_ReadsAsWithout() => NftBackend.TableLines(
        "table inet meshl4 {\n\tset served {\n\t\ttype inet_service\n\t\tsize 65536\t# count 2\n\t\tflags dynamic\n\t\telements = { 80, 81 }\n\t}\n}\n")
        .ShouldBe(["table inet meshl4 {", "set served {", "type inet_service", "size 65536", "flags dynamic", "}", "}"]);

    [Fact]
    public void Apply_EqualRules_WritesNothing()
    {
        using var pod = new Pod();
        pod.Apply(Wide).Written.ShouldBeTrue();
        string before = pod.Exec("nft", "-a", "list", "ruleset");
        var start = new ProcessStartInfo("ip", ["netns", "exec", pod.Name, "nft", "monitor"]) { RedirectStandardOutput = true };
        using Process monitor = Process.Start(start)!;
        try
        {
            // The monitor has no word for "ready": a table of the test's own shows that it listens, another ends the reading.
            Await(monitor, "probe", () => pod.Exec("nft", "add table ip probe; delete table ip probe"));
            pod.Apply(Wide).Written.ShouldBeFalse();
            pod.Exec("nft", "add table ip finish");
            Await(monitor, "finish", () => { }).ShouldNotContain(l => l.Contains("meshl4", StringComparison.Ordinal));
        }
        finally
        {
            monitor.Kill();
            monitor.WaitForExit();
        }

        pod.Exec("nft", "delete table ip finish");
        pod.Exec("nft", "-a", "list", "ruleset").ShouldBe(before);
    }

    [Theory]
    [InlineData("nft", "REDIRECT")]
    [InlineData("legacy", "REDIRECT")]
    [InlineData("nft", "TPROXY")]
    [InlineData("legacy", "TPROXY")]
    public void Apply_EqualIptablesRules_WritesNothing(string kind, string mode)
    {
        using var pod = new Pod();
        (string, string)[] flags = [.. Wide, ("force-iptables-binary", kind), ("istio-inbound-interception-mode", mode)];
        pod.Apply(flags).Written.ShouldBeTrue();
        pod.Apply(flags).Written.ShouldBeFalse();
        pod.Apply([.. flags, ("istio-outbound-ports", "99")]).Written.ShouldBeTrue();
        pod.Exec($"iptables-{kind}-save").Split("-j MESHL4_OUTPUT").Length.ShouldBe(mode == "TPROXY" ? 3 : 2, "one jump a table and no more");
    }

    [Fact]
    public void Apply_ManyBlocks_ReadsBackEqual()
    {
        using var pod = new Pod();
        var random = new Random(7);
        string blocks = string.Join(',', Enumerable.Range(0, 3000).Select(_ => $"{random.Next(1, 224)}.{random.Next(256)}.{random.Next(256)}.0/{random.Next(12, 33)}"));
        pod.Apply(("istio-service-cidr", "*"), ("istio-service-exclude-cidr", blocks)).Written.ShouldBeTrue();
        pod.Apply(("istio-service-cidr", "*"), ("istio-service-exclude-cidr", blocks)).Written.ShouldBeFalse();
    }

    [Fact]
    public void Diff_RulesDeletedAndReordered_AreSeenAndRepaired()
    {
        using var pod = new Pod();
        pod.Apply(Wide);
        pod.In(() => pod.Setter(Wide).Diff(RedirectPlanner.Plan(Flags.Options(Wide)))).ShouldBeEmpty();
        pod.Exec("nft", "insert rule inet meshl4 output accept");
        pod.In(() => pod.Setter(Wide).Diff(RedirectPlanner.Plan(Flags.Options(Wide)))).ShouldHaveSingleItem().Line.ShouldBe("accept");
        pod.Apply(Wide).Written.ShouldBeTrue();
        pod.In(() => pod.Setter(Wide).Diff(RedirectPlanner.Plan(Flags.Options(Wide)))).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Cleanup_WithAndWithoutRules_LeavesForeignRulesAsTheyWere(bool applied)
    {
        using var pod = new Pod();
        pod.Exec("nft", "add table inet other; add chain inet other c { type filter hook output priority 0; }; add rule inet other c tcp dport 1 drop");
        pod.Exec("iptables-nft", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "9", "-j", "RETURN");
        string before = pod.Exec("nft", "-a", "list", "ruleset");
        if (applied)
        {
            pod.Apply(Wide);
        }

        pod.In(() => pod.Setter().Cleanup()).Written.ShouldBe(applied);
        pod.Exec("nft", "-a", "list", "ruleset").ShouldBe(before);
    }

    [Theory]
    [InlineData("nft")]
    [InlineData("legacy")]
    public void Cleanup_IptablesRules_RestoresWhatWasThere(string kind)
    {
        using var pod = new Pod();
        foreach (string program in new[] { $"iptables-{kind}", $"ip6tables-{kind}" })
        {
            pod.Exec(program, "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "9", "-j", "RETURN");
        }

        string before = Rules(pod, kind);
        pod.Apply([.. Wide, ("force-iptables-binary", kind)]);
        Rules(pod, kind).ShouldNotBe(before);
        pod.In(() => pod.Setter().Cleanup()).Written.ShouldBeTrue();
        Rules(pod, kind).ShouldBe(before);
    }

    [Fact]
    public void Apply_AfterOtherBackend_LeavesOneSetOfRules()
    {
        using var pod = new Pod();
        pod.Apply([.. Wide, ("force-iptables-binary", "nft")]);
        pod.Apply(Wide);
        pod.Exec("iptables-nft-save").ShouldNotContain("MESHL4_");
        pod.Apply([.. Wide, ("force-iptables-binary", "nft")]);
        pod.Exec("nft", "list", "tables").ShouldNotContain("meshl4");
    }

    // As a run leaves them that was killed after it wrote the new rules and before it removed the old ones.
    [Theory]
    [InlineData("nft")]
    [InlineData("legacy")]
    public void Diff_OlderRulesOfAnotherBackendBesideThePlans_AreTooMuch(string kind)
    {
        using var pod = new Pod();
        pod.Apply(("istio-inbound-ports", "80"), ("force-iptables-binary", kind));
        RedirectPlan plan = RedirectPlanner.Plan(Flags.Options(("istio-inbound-ports", "81")));
        pod.In(() =>
        {
            var nft = new NftBackend(new CommandRunner());
            nft.Installed().ShouldBeEmpty();
            nft.Replace(plan);
            return true;
        });
        IReadOnlyList<RuleDifference> differences = pod.In(() => pod.Setter(("istio-inbound-ports", "81")).Diff(plan));
        differences.ShouldNotBeEmpty();
        differences.ShouldAllBe(d => !d.Wanted && d.Line.StartsWith($"iptables-{kind}: "));
        Should.Throw<RedirectException>(() => pod.Apply(("istio-inbound-ports", "81"), ("reconcile", "false"))).Failure.ShouldBe(RedirectFailure.Conflict);
        pod.Apply(("istio-inbound-ports", "81"));
        pod.In(() => pod.Setter(("istio-inbound-ports", "81")).Diff(plan)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("nft")]
    [InlineData("legacy")]
    public void Apply_ReconcileFalseBesideAnotherBackendsRules_IsAConflictAndLeavesThem(string kind)
    {
        using var pod = new Pod();
        pod.Apply(("istio-inbound-ports", "80"), ("force-iptables-binary", kind), ("reconcile", "false")).Written.ShouldBeTrue();
        string before = Rules(pod, kind);
        pod.Apply(("istio-inbound-ports", "80"), ("force-iptables-binary", kind), ("reconcile", "false")).Written.ShouldBeFalse();
        var conflict = Should.Throw<RedirectException>(() => pod.Apply(("istio-inbound-ports", "81"), ("reconcile", "false")));
        (conflict.Failure, conflict.Message.Contains($"iptables-{kind}")).ShouldBe((RedirectFailure.Conflict, true));
        Rules(pod, kind).ShouldBe(before);
        pod.Exec("nft", "list", "tables").ShouldNotContain("inet meshl4");
    }

    [Fact]
    public void Apply_RouteOfSomebodyElsesInTheTable_IsUsedAndNeverTaken()
    {
        using var pod = new Pod();
        foreach (string family in new[] { "-4", "-6" })
        {
            pod.Exec("ip", family, "route", "add", "local", "default", "dev", "lo", "table", "133");
        }

        string before = Routes(pod);
        (string, string)[] flags = [("istio-inbound-ports", "*"), ("istio-inbound-interception-mode", "TPROXY"), ("force-iptables-binary", "nft")];
        Action putBack = pod.In(() => pod.Setter(flags).Remember());
        pod.Apply(flags).Written.ShouldBeTrue();
        Routes(pod).ShouldBe(before);
        pod.Apply(flags).Written.ShouldBeFalse();
        pod.In(() => pod.Setter(flags).Diff(RedirectPlanner.Plan(Flags.Options(flags)))).ShouldBeEmpty();
        pod.In(() => { putBack(); return true; });
        Routes(pod).ShouldBe(before, "after the rollback");
        pod.Apply(flags);
        pod.In(() => pod.Setter().Cleanup());
        Routes(pod).ShouldBe(before, "after cleanup");
        pod.Exec("ip", "rule").ShouldNotContain("fwmark");
    }

    [Theory]
    [InlineData("-4", "default via 10.77.0.1")]
    [InlineData("-6", "default via fd77::1")]
    [InlineData("-6", "default via fd77::1 metric 100")]
    [InlineData("-6", "blackhole default metric 100")]
    [InlineData("-4", "198.51.100.0/24 via 10.77.0.1")]
    [InlineData("-6", "2001:db8::/32 via fd77::1")]
    [InlineData("-4", "default tos 0x10 via 10.77.0.1 metric 100")]
    [InlineData("-4", "198.51.100.0/24 via 10.77.0.1 metric 100")]
    [InlineData("-6", "default from 2001:db8::/32 via fd77::1 metric 2000")]
    public void Apply_RouteElsewhereInTheTable_IsRefusedByItsNameAndLeftThere(string family, string route)
    {
        using var pod = new Pod();
        pod.Exec(["ip", family, "route", "add", .. route.Split(' '), "table", "133"]);
        string before = Routes(pod);
        (string, string)[] flags = [("istio-inbound-ports", "*"), ("istio-inbound-interception-mode", "TPROXY")];
        var refused = Should.Throw<RedirectException>(() => pod.Apply(flags));
        refused.Failure.ShouldBe(RedirectFailure.Refused);
        refused.Message.ShouldContain("routing table 133");
        // The kernel's numbers stand for names of kinds.
        refused.Message.ShouldContain($"{family} route {route.Replace("blackhole", "6", StringComparison.Ordinal).Split(" metric")[0]}");
        refused.Message.ShouldContain("--istio-inbound-tproxy-route-table");
        Routes(pod).ShouldBe(before);
        pod.Exec("ip", family, "rule").ShouldNotContain("fwmark");
        pod.Exec("nft", "list", "tables").ShouldNotContain("meshl4");
        pod.Apply([.. flags, ("istio-inbound-tproxy-route-table", "134")]).Written.ShouldBeTrue();
    }

    // A fallback: the kernel looks at ours before.
    [Theory]
    [InlineData("-4", "default via 10.77.0.1 metric 1")]
    [InlineData("-4", "unreachable default metric 4278198272")]
    [InlineData("-6", "unreachable default metric 4278198272")]
    [InlineData("-6", "default via fd77::1 metric 1025")]
    public void Apply_WorseDefaultRouteInTheTable_IsLeftThere_AndOursIsTaken(string family, string route)
    {
        using var pod = new Pod();
        pod.Exec(["ip", family, "route", "add", .. route.Split(' '), "table", "133"]);
        string before = Routes(pod);
        (string, string)[] flags = [("istio-inbound-ports", "*"), ("istio-inbound-interception-mode", "TPROXY")];
        pod.Apply(flags).Written.ShouldBeTrue();
        pod.Exec("ip", family, "route", "get", family == "-4" ? "198.51.100.1" : "2001:db8::1", "mark", "1337").ShouldContain("dev lo table 133");
        pod.In(() => pod.Setter(flags).Diff(RedirectPlanner.Plan(Flags.Options(flags)))).ShouldBeEmpty();
        pod.In(() => pod.Setter().Cleanup());
        Routes(pod).ShouldBe(before);
    }

    [Fact]
    public void Diff_RouteElsewhereCameIntoTheTable_IsTooMuch()
    {
        using var pod = new Pod();
        (string, string)[] flags = [("istio-inbound-ports", "*"), ("istio-inbound-interception-mode", "TPROXY")];
        pod.Apply(flags);
        pod.Exec("ip", "-6", "route", "add", "default", "via", "fd77::1", "dev", "eth0", "table", "133", "metric", "100");
        RuleDifference difference = pod.In(() => pod.Setter(flags).Diff(RedirectPlanner.Plan(Flags.Options(flags)))).ShouldHaveSingleItem();
        difference.Wanted.ShouldBeFalse();
        difference.Line.ShouldStartWith("ip -6 route default via fd77::1");
        // A plan of the other family, or without marks, does not look there.
        pod.Apply([.. flags, ("ipv6", "off")]).Written.ShouldBeTrue();
        pod.Apply(("istio-inbound-ports", "*")).Written.ShouldBeTrue();
    }

    private static string Routes(Pod pod) => string.Concat(new[] { "-4", "-6" }.Select(f => pod.Exec("ip", f, "route", "show", "table", "all", "exact", "default")));

    // Comments carry the time, and chains carry counters.
    private static string Rules(Pod pod, string kind) => string.Join('\n', (pod.Exec($"iptables-{kind}-save") + pod.Exec($"ip6tables-{kind}-save"))
        .Split('\n').Where(l => !l.StartsWith('#')).Select(l => l.Split(" [")[0]));

    private static List<string> Await(Process monitor, string word, Action provoke)
    {
        var lines = new List<string>();
        Task<string?> next = monitor.StandardOutput.ReadLineAsync();
        while (true)
        {
            provoke();
            if (!next.Wait(TimeSpan.FromMilliseconds(200)))
            {
                continue;
            }

            string line = next.Result.ShouldNotBeNull();
            lines.Add(line);
            if (line.Contains(word, StringComparison.Ordinal))
            {
                return lines;
            }

            next = monitor.StandardOutput.ReadLineAsync();
        }
    }
}
