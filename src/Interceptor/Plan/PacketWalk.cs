namespace MeshL4.Interceptor.Plan;

/// <summary>A rule that a packet met.</summary>
/// <param name="Chain">Where.</param>
/// <param name="Rule">The rule, or null when the packet left the chain without meeting one that ends it.</param>
internal sealed record DecisionStep(RedirectChain Chain, RedirectRule? Rule);

/// <summary>What becomes of a packet.</summary>
/// <param name="Verdict">Redirect, Tproxy or Drop; Return when it goes where it wanted.</param>
/// <param name="Rule">The rule that decided, or null when none did.</param>
/// <param name="Steps">Every rule met, in order.</param>
internal sealed record Decision(RuleVerdict Verdict, RedirectRule? Rule, IReadOnlyList<DecisionStep> Steps);

/// <summary>A packet's way through the hooks, as the kernel takes it: raw, mangle, nat; what a process sends to an address of the pod,
/// or is marked for policy routing, enters again by lo, where nat has had its say already.</summary>
internal sealed class PacketWalk
{
    private const string Loopback = "lo";

    private readonly RedirectPlan _plan;
    private readonly List<DecisionStep> _steps = [];
    private Packet _packet;
    private RedirectRule? _last;

    private PacketWalk(RedirectPlan plan, Packet packet)
    {
        _plan = plan;
        _packet = packet;
    }

    /// <summary>Takes <paramref name="packet"/> through the chains of <paramref name="plan"/>.</summary>
    public static Decision Walk(RedirectPlan plan, Packet packet)
    {
        var walk = new PacketWalk(plan, packet);
        bool decided = walk.Hook(packet.Inbound, NetfilterTable.Nat);
        if (!decided && !packet.Inbound && (packet.Interface == Loopback || plan.Routing.LeadsHome(walk._packet.Mark)))
        {
            walk._packet = walk._packet with { Inbound = true, Interface = Loopback };
            decided = walk.Hook(true, NetfilterTable.Mangle);
        }

        return new(decided ? walk._last!.Verdict : RuleVerdict.Return, walk._last, walk._steps);
    }

    private bool Hook(bool inbound, NetfilterTable last) =>
        _plan.Chains.Where(c => c.Inbound == inbound && c.Table <= last && c.Table != NetfilterTable.Ports).Any(Chain);

    private bool Chain(RedirectChain chain)
    {
        foreach (RedirectRule rule in chain.Rules.Where(r => r.Matches.All(m => m.Holds(_packet))))
        {
            _steps.Add(new(chain, rule));
            Change(rule.Verdict);
            if (rule.Verdict.EndsChain)
            {
                _last = rule;
                return rule.Verdict.Kind is VerdictKind.Redirect or VerdictKind.Tproxy or VerdictKind.Drop;
            }
        }

        // What an earlier chain let by has come here and met nothing: that rule did not decide.
        _last = null;
        _steps.Add(new(chain, null));
        return false;
    }

    private void Change(RuleVerdict verdict) => _packet = verdict.Kind switch
    {
        VerdictKind.Mark or VerdictKind.MarkAndAccept or VerdictKind.Tproxy => _packet with { Mark = verdict.Number },
        VerdictKind.SaveMark => _packet with { ConnectionMark = _packet.Mark },
        VerdictKind.RestoreMark => _packet with { Mark = _packet.ConnectionMark },
        _ => _packet,
    };
}
