using static MeshL4.Interceptor.Plan.RuleWords;

namespace MeshL4.Interceptor.Plan;

/// <summary>What transparent mode remembers of packets instead of tracking connections: which local ports serve, and which of those that
/// opened connections were left alone. Met behind the chains that decide, whatever they decided.</summary>
internal static class LearningRules
{
    /// <summary>The sets that the options need.</summary>
    public static IReadOnlyList<LearnedSet> Sets(RedirectOptions o) =>
        o.UdpPorts.All ? LearnedSet.All : [LearnedSet.Served, LearnedSet.Direct];

    /// <summary>Behind prerouting.</summary>
    public static IEnumerable<RedirectRule> Prerouting(RedirectOptions o)
    {
        if (!o.UdpPorts.All)
        {
            yield break;
        }

        yield return WithinPod;
        yield return new([Udp(), new MarkMatch(o.Mark, true), new SocketMatch(PacketSocket.Unbound)], RuleVerdict.Remember(LearnedSet.ServedUdp),
            "a local server is asked on this port");
    }

    /// <summary>Behind output.</summary>
    public static IEnumerable<RedirectRule> Output(RedirectOptions o)
    {
        var open = new OpeningMatch();
        uint[] marks = o.CapturesDns ? [PacketMarks.Outbound, PacketMarks.Dns] : [PacketMarks.Outbound];
        RuleMatch[] uncaptured = [.. marks.Select(m => new MarkMatch(m, true))];
        yield return new([new AcceptingMatch()], RuleVerdict.Remember(LearnedSet.Served), "a local server accepts on this port");
        yield return new([open], RuleVerdict.Forget(LearnedSet.Served), "a port that opens connections serves none");
        yield return new([open], RuleVerdict.Forget(LearnedSet.Direct), "what was decided for an earlier connection from this port is over");
        yield return new([open, .. uncaptured], RuleVerdict.Remember(LearnedSet.Direct), "the connection from this port is left alone");
        if (o.UdpPorts.All)
        {
            yield return WithinPod;
            yield return new([Udp(), .. uncaptured, new SocketMatch(PacketSocket.Ordinary)], RuleVerdict.Remember(LearnedSet.DirectUdp), "answers to this port are left alone");
        }
    }

    private static RedirectRule WithinPod => Return("what is said within the pod says nothing of what comes from outside", Lo);
}
