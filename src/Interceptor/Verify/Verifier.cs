using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>Shows with real packets that the kernel does what the plan says. No packet of it leaves the pod, no running proxy is
/// disturbed, and nothing of it is left.</summary>
/// <param name="runner">Runs the ip program.</param>
/// <param name="program">How to start this program again, for processes under other identities.</param>
/// <param name="options">What the plan was made from.</param>
internal sealed class Verifier(CommandRunner runner, IReadOnlyList<string> program, RedirectOptions options)
{
    private const int LookMilliseconds = 5;

    // A connection that the kernel's list has no more by now was refused; earlier it may not be there yet.
    private static readonly TimeSpan RefusedAfter = TimeSpan.FromMilliseconds(250);

    private volatile bool _interrupted;

    /// <summary>Waits until no other verification runs in this network namespace, and keeps others waiting.</summary>
    /// <exception cref="RedirectException">It did not end in time.</exception>
    public IDisposable Reserve() => VerifierLock.Take(options.ProbeTimeout)
        ?? throw new RedirectException(RedirectFailure.Timeout, $"another verification runs in this network namespace (while it does, there is a table inet {VerifierLock.TableName}); it was waited for {options.ProbeTimeout.TotalSeconds} s (--probe-timeout); run again when it has ended");

    /// <summary>Sends the packets and says what became of them; <see cref="Reserve"/> comes first.</summary>
    /// <exception cref="RedirectException">A signal ended it.</exception>
    public VerifyReport Run(RedirectPlan plan)
    {
        using PosixSignalRegistration terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        using PosixSignalRegistration cancelled = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        ProbeNetwork.RemoveLeftOvers(runner);
        VerifyReport report = SendAll(plan);
        // The kernel decides for a connection once and remembers it for minutes: a probe that happens to have the ports of an earlier
        // connection goes that one's way. It does not happen to the same probe again.
        return report.AnyBroken && !_interrupted ? SendAll(plan) : report;
    }

    private VerifyReport SendAll(RedirectPlan plan)
    {
        var site = ProbeSite.Look(options);
        var attempts = ProbePlanner.Of(options, plan, site).Select(p => new Attempt(p)).ToList();
        Refuse(attempts, site.HasLoopback ? null : "the loopback interface is down");
        Refuse(attempts.Where(a => a.NeedsNetwork), site.Collision is IPAddress taken ? $"the pod has {taken}, which probes need for themselves" : null);
        Refuse(attempts.Where(a => a.Probe.Family == AddressFamily.InterNetworkV6), IsIpv6Off() ? "IPv6 is off here" : null);
        List<(ProbeChild? Child, string? Obstacle, List<Attempt> Attempts)> groups = [.. Senders(attempts)];
        try
        {
            using ProbeNetwork? network = MakeNetwork(attempts);
            using var watch = new Watch(new Identity(options.ProxyUids[0], options.ProxyGids[0]));
            OpenEnds(watch, attempts);
            OpenLandings(watch, attempts);
            using var own = new ProbeSender();
            Send(watch, own, groups, attempts);
            WaitForAll(watch, own, attempts);
            return new VerifyReport([.. Results(watch, attempts)]);
        }
        finally
        {
            groups.ForEach(g => g.Child?.Dispose());
        }
    }

    private static bool IsIpv6Off()
    {
        const string Switch = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
        return !File.Exists("/proc/thread-self/net/if_inet6") || (File.Exists(Switch) && File.ReadAllText(Switch).Trim() != "0");
    }

    private static void Refuse(IEnumerable<Attempt> attempts, string? obstacle)
    {
        foreach (Attempt attempt in attempts.Where(a => obstacle is not null && a.Obstacle is null))
        {
            attempt.Obstacle = obstacle;
        }
    }

    // Started before anything else, because starting takes a process longer than all of its probes.
    private IEnumerable<(ProbeChild? Child, string? Obstacle, List<Attempt> Attempts)> Senders(List<Attempt> attempts)
    {
        var own = new Identity(Credentials.Uid, Credentials.Gid);
        foreach (IGrouping<Identity, Attempt> group in attempts.Where(a => a.Obstacle is null && !a.Probe.Packet.Inbound).GroupBy(a => a.Probe.Sender))
        {
            ProbeChild? child = null;
            string? obstacle = null;
            try
            {
                child = group.Key == own ? null : ProbeChild.Start(program, group.Key);
            }
            catch (Win32Exception e)
            {
                obstacle = $"cannot start {program[0]}: {e.Message}";
            }

            yield return (child, obstacle, [.. group]);
        }
    }

    private ProbeNetwork? MakeNetwork(List<Attempt> attempts)
    {
        Attempt[] needing = [.. attempts.Where(a => a.Obstacle is null && a.NeedsNetwork)];
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
        foreach (IGrouping<ProbeLink, Attempt> group in attempts.Where(a => a.Obstacle is null && a.Probe.Link is not null).GroupBy(a => a.Probe.Link!))
        {
            if (FarEnd.Open(group.Key, out string? obstacle) is FarEnd end)
            {
                watch.Add(group.Key, end);
            }

            Refuse(group, obstacle);
        }
    }

    private void OpenLandings(Watch watch, List<Attempt> attempts)
    {
        foreach (Attempt attempt in attempts.Where(a => a.Obstacle is null))
        {
            Landing? landing = watch.LandingOf(attempt.Probe);
            // Who took the port may listen at one address of the pod only, which is not the probe's.
            attempt.Listening = landing is { Obstacle: null } || (landing is { Taken: true } && ConnectionTable.IsListenedOnEveryAddress(landing.Port));
            Refuse([attempt], landing is null ? null : ObstacleAt(landing, attempt.Probe));
            // Rules send the resolver's answers another way by whose they are.
            Refuse([attempt], landing is { IsProxys: false } && NeedsAnswer(attempt.Probe) ? "no answer can be sent as the proxy; CAP_SETUID and CAP_SETGID are needed" : null);
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
            // An inbound port that is left alone needs no listener: its refusal shows that the packet came through.
            return probe.Port is null && probe.Packet.Inbound ? null : landing.Obstacle;
        }

        if (landing.Transport == Transports.Udp)
        {
            return landing.Obstacle;
        }

        bool callsStranger = !probe.EndsInPod && !probe.Packet.Destination.Equals(ProbeLink.Outside(probe.Family));
        return callsStranger ? $"{landing.Obstacle}, which would call {probe.Destination} in turn" : null;
    }

    private void Send(Watch watch, ProbeSender own, List<(ProbeChild? Child, string? Obstacle, List<Attempt> Attempts)> groups, List<Attempt> attempts)
    {
        var children = new List<Task>();
        foreach ((ProbeChild? child, string? obstacle, List<Attempt> sent) in groups)
        {
            Refuse(sent, obstacle);
            if (child is not null)
            {
                children.Add(Task.Run(() => SendBy(child, sent)));
            }
        }

        // Never the ports of an earlier run: the kernel would remember for these connections what earlier rules decided.
        const int FirstPort = 20000, LastPort = 50000;
        int port = Random.Shared.Next(FirstPort, LastPort);
        foreach (Attempt attempt in attempts.Where(a => a.Obstacle is null && a.Probe.Packet.Inbound).OrderByDescending(a => a.Probe.Dropped))
        {
            attempt.Sent(port++);
            watch.Inject(attempt.Probe, attempt.Source!);
        }

        foreach (Attempt attempt in groups.Where(g => g.Child is null).SelectMany(g => g.Attempts).Where(a => a.Obstacle is null))
        {
            attempt.Sent(own.Send(attempt.Probe.Packet.Transport, attempt.Probe.Packet.Source, attempt.Probe.Destination));
        }

        // Their answers come through pipes; the packets wait in queues meanwhile.
        if (!Task.WaitAll([.. children], options.ProbeTimeout))
        {
            groups.ForEach(g => g.Child?.End());
            Task.WaitAll([.. children]);
        }
    }

    private static void SendBy(ProbeChild child, List<Attempt> attempts)
    {
        Attempt[] open = [.. attempts.Where(a => a.Obstacle is null)];
        string? refused = child.Send([.. open.Select(a => a.Probe)], (index, answer) => open[index].Sent(answer));
        if (refused is not null)
        {
            Identity identity = attempts[0].Probe.Sender;
            Refuse(open.Where(a => a.Source is null && a.Evidence is null), $"cannot send as {identity.Uid}:{identity.Gid}: {refused}");
        }
    }

    private void WaitForAll(Watch watch, ProbeSender own, List<Attempt> attempts)
    {
        var unanswered = new Dictionary<Attempt, Evidence>();
        long start = Stopwatch.GetTimestamp();
        while (attempts.Any(a => a.Obstacle is null && a.Evidence is null) && Stopwatch.GetElapsedTime(start) < options.ProbeTimeout)
        {
            if (_interrupted)
            {
                throw new RedirectException(RedirectFailure.Timeout, "a signal ended the verification");
            }

            watch.Look(LookMilliseconds);
            foreach (Attempt attempt in attempts.Where(a => a.Source is not null && a.Evidence is null))
            {
                Evidence? evidence = watch.Of(attempt.Probe, attempt.Source!);
                if (evidence is { Fate: Fate.Arrived } && NeedsAnswer(attempt.Probe) && !own.IsAnswered(attempt.Source!, attempt.Probe.Destination))
                {
                    unanswered[attempt] = evidence with { Fate = Fate.Unanswered };
                    continue;
                }

                attempt.Evidence = evidence;
            }

            if (Stopwatch.GetElapsedTime(start) > RefusedAfter)
            {
                FindRefused(attempts);
            }
        }

        foreach ((Attempt attempt, Evidence evidence) in unanswered)
        {
            attempt.Evidence ??= evidence;
        }
    }

    // Where datagrams are translated their answers are too, and a resolver's answer that does not come back is no answer. A transparent
    // proxy answers from an address that only it knows.
    private bool NeedsAnswer(Probe probe) => probe.Packet.Transport == Transports.Udp && !probe.Packet.Inbound && probe.Port == options.DnsPort
        && options.Mode != InterceptionMode.Transparent && probe.Sender == new Identity(Credentials.Uid, Credentials.Gid);

    private static void FindRefused(List<Attempt> attempts)
    {
        Attempt[] pending = [.. attempts.Where(a => a.Source is not null && a.Evidence is null && !a.Probe.Packet.Inbound && a.Probe.Packet.Transport == Transports.Tcp)];
        if (pending.Length == 0)
        {
            return;
        }

        HashSet<IPEndPoint> open = ConnectionTable.LocalEnds();
        foreach (Attempt attempt in pending.Where(a => !open.Contains(a.Source!)))
        {
            attempt.Evidence = new Evidence(Fate.Refused);
        }
    }

    private static IEnumerable<CheckResult> Results(Watch watch, List<Attempt> attempts)
    {
        string[] order = [.. attempts.Select(a => a.Probe.Promise).Distinct()];
        foreach (IGrouping<(string Promise, AddressFamily Family), Attempt> group in attempts.GroupBy(a => (a.Probe.Promise, a.Probe.Family))
            .OrderBy(g => Array.IndexOf(order, g.Key.Promise)).ThenBy(g => g.Key.Family))
        {
            (CheckOutcome Outcome, string? Reason)[] judged =
                [.. group.Select(a => a.Obstacle is null ? Evidence.Judge(a.Probe, a.Evidence, a.Listening) : (CheckOutcome.NotProvable, a.Obstacle))];
            CheckOutcome outcome = judged.Any(j => j.Outcome == CheckOutcome.Broken) ? CheckOutcome.Broken
                : judged.Any(j => j.Outcome == CheckOutcome.NotProvable) ? CheckOutcome.NotProvable : CheckOutcome.Held;
            yield return new(group.Key.Promise, group.Key.Family, outcome, judged.Length,
                [.. judged.Where(j => j.Outcome == outcome && j.Reason is not null).Select(j => j.Reason!).Distinct()]);
        }
    }

    // Ending here would leave interfaces behind; the loop looks at the mark within milliseconds.
    private void Interrupt(PosixSignalContext context)
    {
        context.Cancel = true;
        _interrupted = true;
    }

    /// <summary>A probe on its way.</summary>
    private sealed class Attempt(Probe probe)
    {
        public Probe Probe => probe;

        public string? Obstacle { get; set; } = probe.Obstacle;

        public IPEndPoint? Source { get; private set; }

        public Evidence? Evidence { get; set; }

        public bool Listening { get; set; }

        public bool NeedsNetwork => probe.Link is not null || probe.Packet.Destination.Equals(ProbeLink.Ordinary.Address(probe.Family));

        public void Sent(int answer)
        {
            Evidence = answer < 0 ? new Evidence(Fate.NotSent, -answer) : null;
            Source = answer < 0 ? null : new IPEndPoint(probe.Packet.Source, answer);
        }
    }
}
