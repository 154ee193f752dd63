using MeshL4.Interceptor.Plan;
using MeshL4.TestKit.Laboratory;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>What a plan says it does with the packets of <see cref="PacketTable"/>, and what the kernel does with them when a backend
/// has applied it.</summary>
internal static class PlanVerdicts
{
    /// <summary>By <see cref="RedirectPlan.Decide"/>, without a kernel.</summary>
    public static VerdictTable Decided(RedirectPlan plan) => VerdictTable.Fill((row, owner, port) =>
        plan.Decide(new Packet
        {
            Inbound = row.Probe.From != Origin.Pod,
            Interface = row.Interface,
            Transport = row.Probe.Transport,
            Source = row.Source,
            Destination = row.Probe.Destination,
            DestinationPort = port,
            Forwarded = row.Probe.From == Origin.VirtualMachine && !PacketLaboratory.OfPod.Contains(row.Probe.Destination),
            Uid = owner.Uid,
            Gid = owner.Gid,
        }).Verdict switch
        {
            { Kind: VerdictKind.Drop } => '-',
            { Port: null } => '.',
            { Port: 15001 } => 'o',
            { Port: 15006 } => 'i',
            { Port: 15053 } => 'd',
            _ => '?',
        });

    /// <summary>By real packets.</summary>
    /// <param name="options">What the plan is made from.</param>
    /// <param name="iptables">"nft" or "legacy" applies by that iptables; null by nft.</param>
    public static VerdictTable Measured(RedirectOptions options, string? iptables)
    {
        using var laboratory = new PacketLaboratory(PacketTable.Ports, options.ProxyUids[0]);
        RedirectOptions forced = options with { ForcedIptables = iptables };
        NetworkNamespace.In(laboratory.Pod.Name, () => new Interceptor.Apply.RuleSetter(new Interceptor.Apply.CommandRunner(), forced).Apply(RedirectPlanner.Plan(forced)));
        return VerdictTable.Measure(laboratory);
    }
}
