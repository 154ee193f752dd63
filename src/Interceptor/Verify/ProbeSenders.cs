using System.ComponentModel;
using System.Net;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Verify;

/// <summary>Everybody who sends the outbound probes of a try: this process, and a child for every other identity.</summary>
internal sealed class ProbeSenders : IDisposable
{
    /// <summary>How long a child may take to start, and for each answer. Not the time that a packet is waited for: on a slow machine it
    /// takes a program seconds to start, and what it has not sent cannot arrive.</summary>
    public static readonly TimeSpan ChildLimit = TimeSpan.FromSeconds(30);

    // Somebody in the pod may have bound a port that we draw.
    private const int MostPorts = 16;

    private readonly SourcePorts _ports;
    private readonly ProbeSender _own = new();
    private readonly List<Group> _groups = [];

    /// <summary>Starts the children that <paramref name="attempts"/> need, and waits for none.</summary>
    public ProbeSenders(IReadOnlyList<string> program, SourcePorts ports, IEnumerable<Attempt> attempts, TimeSpan? childLimit = null)
    {
        _ports = ports;
        var own = new Identity(Credentials.Uid, Credentials.Gid);
        foreach (IGrouping<Identity, Attempt> group in attempts.Where(a => a.IsPending && !a.Probe.Packet.Inbound).GroupBy(a => a.Probe.Sender))
        {
            Attempt[] members = [.. group];
            try
            {
                _groups.Add(new Group(group.Key, group.Key == own ? null : ProbeChild.Start(program, group.Key, childLimit ?? ChildLimit), members));
            }
            catch (Win32Exception e)
            {
                Array.ForEach(members, a => a.Refuse($"cannot start {program[0]}: {e.Message}"));
            }
        }
    }

    /// <summary>Has everybody sent what can be sent, and <see cref="Take"/> been told?</summary>
    public bool AreDone => _groups.TrueForAll(g => g.Sending is null);

    /// <summary>Sends what needs nobody else, and has the children send the rest.</summary>
    public void Send()
    {
        foreach (Group group in _groups)
        {
            Attempt[] open = [.. group.Attempts.Where(a => a.IsPending)];
            if (group.Child is ProbeChild child)
            {
                // A thread each: most of its time it waits, and the pool would begin a few at a time.
                group.Sending = Task.Factory.StartNew(() => SendBy(child, open), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            }
            else
            {
                Array.ForEach(open, a => Tell(a, SendOne(_own, a.Probe)));
            }
        }
    }

    /// <summary>Tells the attempts of children that are done what became of their sending.</summary>
    public void Take()
    {
        foreach (Group group in _groups.Where(g => g.Sending is { IsCompleted: true }))
        {
            (string? failure, List<(Attempt Attempt, IPEndPoint Source, int Errno)> sent) = group.Sending!.Result;
            group.Sending = null;
            sent.ForEach(s => s.Attempt.Sent(s.Source, s.Errno));
            foreach (Attempt attempt in group.Attempts.Where(a => a.IsPending && a.Source is null))
            {
                attempt.Refuse($"cannot send as {group.Identity.Uid}:{group.Identity.Gid}: {failure}");
            }
        }
    }

    /// <summary>What the socket knows that <paramref name="attempt"/> was sent from.</summary>
    public SocketNews NewsOf(Attempt attempt) => attempt.Source is not IPEndPoint source || _groups.Find(g => g.Attempts.Contains(attempt)) is not { } group
        ? SocketNews.None
        : ((IProbeSender?)group.Child ?? _own).NewsOf(attempt.Probe.Packet.Transport, source);

    /// <summary>Closes every socket that was sent from, and waits until the children have ended. A second time it does nothing.</summary>
    public void Dispose()
    {
        _own.Dispose();
        // All at once: each takes a while to end.
        _groups.ForEach(g => g.Child?.Release());
        _groups.ForEach(g => g.Child?.Dispose());
        _groups.Clear();
    }

    private static void Tell(Attempt attempt, (IPEndPoint Source, int Errno) sent) => attempt.Sent(sent.Source, sent.Errno);

    private (string? Failure, List<(Attempt Attempt, IPEndPoint Source, int Errno)> Sent) SendBy(ProbeChild child, Attempt[] open)
    {
        List<(Attempt, IPEndPoint, int)> sent = [];
        try
        {
            string? failure = child.Begin();
            foreach (Attempt attempt in failure is null ? open : [])
            {
                (IPEndPoint source, int errno) = SendOne(child, attempt.Probe);
                sent.Add((attempt, source, errno));
            }

            return (failure, sent);
        }
        catch (InvalidOperationException e)
        {
            return (e.Message, sent);
        }
    }

    private (IPEndPoint Source, int Errno) SendOne(IProbeSender sender, Probe probe)
    {
        IPEndPoint source;
        int errno;
        int tries = 0;
        do
        {
            source = new IPEndPoint(probe.Packet.Source, _ports.Next());
            errno = sender.Send(probe.Packet.Transport, source, probe.Destination);
        }
        while (errno == Errno.EADDRINUSE && ++tries < MostPorts);
        return (source, errno);
    }

    private sealed record Group(Identity Identity, ProbeChild? Child, Attempt[] Attempts)
    {
        public Task<(string? Failure, List<(Attempt Attempt, IPEndPoint Source, int Errno)> Sent)>? Sending { get; set; }
    }
}
