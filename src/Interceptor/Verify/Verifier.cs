using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>Shows with real packets that the kernel does what the plan says. No packet of it leaves the pod, no running proxy is
/// disturbed, and nothing of it is left.</summary>
/// <param name="runner">Runs the ip program.</param>
/// <param name="program">How to start this program again, for processes under other identities.</param>
/// <param name="options">What the plan was made from.</param>
/// <param name="childLimit">How long such a process may take to start; <see cref="ProbeSenders.ChildLimit"/> unless given.</param>
internal sealed class Verifier(CommandRunner runner, IReadOnlyList<string> program, RedirectOptions options, TimeSpan? childLimit = null)
{
    private const int LookMilliseconds = 5;
    private static readonly TimeSpan MostPerLook = TimeSpan.FromMilliseconds(4 * LookMilliseconds);

    private SourcePorts _ports = new();
    private volatile bool _interrupted;

    /// <summary>Waits until no other verification runs in this network namespace, and keeps others waiting.</summary>
    /// <exception cref="RedirectException">It did not end in time.</exception>
    public IDisposable Reserve() => VerifierLock.Reserve(options.ProbeTimeout, childLimit);

    /// <summary>Sends the packets and says what became of them; <see cref="Reserve"/> comes first.</summary>
    /// <exception cref="RedirectException">A signal ended it.</exception>
    public VerifyReport Run(RedirectPlan plan)
    {
        // Ending here would leave interfaces behind; the loop looks at the mark within milliseconds.
        using var signals = new EndingSignals(() => _interrupted = true);
        _ports = new SourcePorts(ConnectionTable.LocalPorts());
        ProbeNetwork.RemoveLeftOvers(runner);
        var site = ProbeSite.Look(options);
        IReadOnlyList<Attempt> first = Try(site, ProbePlanner.Of(options, plan, site), []);
        Attempt[] doubtful = [.. first.Where(a => a.IsDoubtful)];
        if (doubtful.Length == 0 || _interrupted)
        {
            return Report(first);
        }

        // A probe may have the ports of a connection that somebody had before, whose way the kernel remembers; or a running proxy was
        // quicker than our look. Neither happens to the same probe again. What has been shown is not asked again.
        bool withInbound = doubtful.Any(a => a.Probe.Dropped);
        Attempt[] repeated = [.. first.Where(a => a.IsDoubtful || (withInbound && a.Probe.Packet.Inbound))];
        // Listened on is what was: a refusal must not come from a port where the probe should not have been.
        IReadOnlyList<Attempt> second = Try(ProbeSite.Look(options), [.. repeated.Select(a => a.Probe)], first.Where(a => a.Obstacle is null).Select(a => a.Probe));
        return Report([.. first.Select(a => a.IsDoubtful ? second[Array.IndexOf(repeated, a)] : a)]);
    }

    private static VerifyReport Report(IReadOnlyList<Attempt> attempts) =>
        VerifyReport.Of([.. attempts.Select(a => (a.Probe, a.Judged.Outcome, a.Judged.Reason))]);

    private List<Attempt> Try(ProbeSite site, IReadOnlyList<Probe> probes, IEnumerable<Probe> listenedFor)
    {
        var attempts = probes.Select(p => new Attempt(p)).ToList();
        Refuse(attempts, site.HasLoopback ? null : "the loopback interface is down");
        Refuse(attempts.Where(a => a.NeedsNetwork), site.Collision is IPAddress taken ? $"the pod has {taken}, which probes need for themselves" : null);
        Refuse(attempts.Where(a => a.Probe.Family == AddressFamily.InterNetworkV6), IsIpv6Off() ? "IPv6 is off here" : null);
        // Started before anything else, because starting takes a process longer than all of its probes.
        using var senders = new ProbeSenders(program, _ports, attempts, childLimit);
        using ProbeNetwork? network = MakeNetwork(attempts);
        using var watch = new Watch(new Identity(options.ProxyUids[0], options.ProxyGids[0]));
        try
        {
            OpenEnds(watch, attempts);
            OpenLandings(watch, attempts, listenedFor);
            senders.Send();
            // A processor hands over what it is given in that order: once a later segment is answered, an earlier one has had its turn.
            ProcessorAffinity.OnOne(() => Inject(watch, attempts));
            WaitForAll(watch, senders, attempts);
            return attempts;
        }
        finally
        {
            // Before the pairs go: what a socket sends again must not find another way out.
            senders.Dispose();
        }
    }

    private static bool IsIpv6Off()
    {
        const string Switch = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
        return !File.Exists("/proc/thread-self/net/if_inet6") || (File.Exists(Switch) && File.ReadAllText(Switch).Trim() != "0");
    }

    private static void Refuse(IEnumerable<Attempt> attempts, string? obstacle)
    {
        foreach (Attempt attempt in attempts)
        {
            attempt.Refuse(obstacle);
        }
    }

    private ProbeNetwork? MakeNetwork(List<Attempt> attempts)
    {
        Attempt[] needing = [.. attempts.Where(a => a.IsPending && a.NeedsNetwork)];
        ProbeLink[] links = [.. needing.Select(a => a.Probe.Link ?? ProbeLink.Ordinary).Append(ProbeLink.Ordinary).Distinct()];
        if (needing.Length == 0)
        {
            return null;
        }

        ProbeNetwork? network = ProbeNetwork.Create(runner, links, !IsIpv6Off(), out string? obstacle);
        Refuse(needing, obstacle);
        Refuse(needing.Where(a => a.Probe.Family == AddressFamily.InterNetworkV6), network?.Ipv6Obstacle);
        return network;
    }

    private static void OpenEnds(Watch watch, List<Attempt> attempts)
    {
        foreach (IGrouping<ProbeLink, Attempt> group in attempts.Where(a => a.IsPending && a.Probe.Link is not null).GroupBy(a => a.Probe.Link!))
        {
            if (FarEnd.Open(group.Key, out string? obstacle) is FarEnd end)
            {
                watch.Add(group.Key, end);
            }

            Refuse(group, obstacle);
        }
    }

    private void OpenLandings(Watch watch, List<Attempt> attempts, IEnumerable<Probe> listenedFor)
    {
        foreach (Probe probe in listenedFor)
        {
            _ = watch.LandingOf(probe);
        }

        foreach (Attempt attempt in attempts.Where(a => a.IsPending))
        {
            Landing? landing = watch.LandingOf(attempt.Probe);
            // Who took the port may listen at one address of the pod only, which is not the probe's.
            attempt.Listening = landing is { Obstacle: null } || (landing is { Taken: true } && ConnectionTable.IsListenedOnEveryAddress(landing.Port));
            attempt.Refuse(landing is null ? null : ObstacleAt(landing, attempt.Probe));
            // Rules send the resolver's answers another way by whose they are.
            attempt.Refuse(landing is { IsProxys: false } && NeedsAnswer(attempt.Probe) ? "no answer can be sent as the proxy; CAP_SETUID and CAP_SETGID are needed" : null);
        }
    }

    private static string? ObstacleAt(Landing landing, Probe probe)
    {
        if (landing.Obstacle is null)
        {
            return null;
        }

        if (!landing.Taken)
        {
            // An inbound port that is left alone needs no listener for TCP: its refusal shows that the packet came through. A datagram's comes
            // as ICMP, which nobody reads.
            return probe.Port is null && probe.Packet.Inbound && landing.Transport == Transports.Tcp ? null : landing.Obstacle;
        }

        if (landing.Transport == Transports.Udp)
        {
            return landing.Obstacle;
        }

        bool callsStranger = !probe.EndsInPod && !probe.Packet.Destination.Equals(ProbeLink.Outside(probe.Family));
        return callsStranger ? $"{landing.Obstacle}, which would call {probe.Destination} in turn" : null;
    }

    private void Inject(Watch watch, List<Attempt> attempts)
    {
        foreach (Attempt attempt in attempts.Where(a => a.IsPending && a.Probe.Packet.Inbound).OrderByDescending(a => a.Probe.Dropped))
        {
            attempt.Sent(new IPEndPoint(attempt.Probe.Packet.Source, _ports.Next()), 0);
            watch.Inject(attempt.Probe, attempt.Source!);
        }
    }

    // The clock of packets begins when the last of them has been sent; what arrives before is taken in meanwhile.
    private void WaitForAll(Watch watch, ProbeSenders senders, List<Attempt> attempts)
    {
        var patience = new Patience(options.ProbeTimeout, MostPerLook);
        while (attempts.Exists(a => a.IsPending) && !patience.IsSpent)
        {
            if (_interrupted)
            {
                throw new RedirectException(RedirectFailure.Timeout, "a signal ended the verification");
            }

            watch.Look(LookMilliseconds);
            foreach (Attempt attempt in attempts.Where(a => a.IsPending && a.Source is not null))
            {
                Evidence? evidence = EvidenceOf(attempt, watch, senders);
                attempt.Evidence = evidence is { Fate: Fate.Unanswered } && !patience.IsSpent ? null : evidence;
            }

            senders.Take();
            if (senders.AreDone)
            {
                patience.Looked();
            }
        }

        foreach (Attempt attempt in attempts.Where(a => a.IsPending && a.Source is not null))
        {
            attempt.Evidence = EvidenceOf(attempt, watch, senders);
        }
    }

    private Evidence? EvidenceOf(Attempt attempt, Watch watch, ProbeSenders senders)
    {
        Probe probe = attempt.Probe;
        Evidence? evidence = watch.Of(probe, attempt.Source!);
        if (evidence is { Fate: Fate.Arrived } && NeedsAnswer(probe))
        {
            return senders.NewsOf(attempt) == SocketNews.Answered ? evidence : evidence with { Fate = Fate.Unanswered };
        }

        return evidence is null && !probe.Packet.Inbound && probe.Packet.Transport == Transports.Tcp
            ? Evidence.Of(senders.NewsOf(attempt), watch.LandingOf(probe) is { Taken: true })
            : evidence;
    }

    // Where datagrams are translated their answers are too, and a resolver's answer that does not come back is no answer. A transparent
    // proxy answers from an address that only it knows.
    private bool NeedsAnswer(Probe probe) => probe.Packet.Transport == Transports.Udp && !probe.Packet.Inbound && probe.Port == options.DnsPort
        && options.Mode != InterceptionMode.Transparent;
}
