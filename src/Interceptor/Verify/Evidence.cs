using System.Net;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Verify;

/// <summary>What became of a packet.</summary>
internal enum Fate
{
    /// <summary>It arrived at a port of the pod.</summary>
    Arrived,

    /// <summary>It left the pod for its destination.</summary>
    Left,

    /// <summary>The pod refused it.</summary>
    Refused,

    /// <summary>It arrived at a port of the pod, and the answer did not come back as from where it was sent to.</summary>
    Unanswered,

    /// <summary>Nobody answered it, and a packet sent after it was answered.</summary>
    Dropped,

    /// <summary>The running process whose port it was for may have taken it and reset it, before the kernel's list told.</summary>
    Reset,

    /// <summary>Its connection ended with an error that is no refusal.</summary>
    Failed,

    /// <summary>It could not even be sent.</summary>
    NotSent,
}

/// <summary>What was seen of one probe.</summary>
/// <param name="Fate">What became of it.</param>
/// <param name="Port">The port where it arrived, or the errno of the failed sending or connection.</param>
/// <param name="Original">Where it was going, as the kernel tells the listener or the packet says itself; null when nobody could ask.</param>
internal sealed record Evidence(Fate Fate, int Port = 0, IPEndPoint? Original = null)
{
    /// <summary>Errors that say that this place lacks something, not that a rule is wrong.</summary>
    private static readonly int[] Circumstances =
        [Errno.EADDRNOTAVAIL, Errno.EAFNOSUPPORT, Errno.EADDRINUSE, Errno.ENETUNREACH, Errno.EACCES, Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.EINVAL];

    /// <summary>What the end of a connection says of the packet that was to open it; null when it has not ended.</summary>
    /// <param name="news">What its socket knows.</param>
    /// <param name="taken">Does a running process listen where it must arrive? It may reset what it takes; a listener of ours resets
    /// nothing before the verification ends, so that what is reset went elsewhere.</param>
    public static Evidence? Of(SocketNews news, bool taken) => news.Number switch
    {
        0 => null,
        Errno.ECONNREFUSED => new Evidence(Fate.Refused),
        Errno.ECONNRESET when taken => new Evidence(Fate.Reset),
        int errno => new Evidence(Fate.Failed, errno),
    };

    /// <summary>Holds <paramref name="seen"/> against what <paramref name="probe"/> promised.</summary>
    /// <param name="probe">The probe.</param>
    /// <param name="seen">Null when nothing was seen in time.</param>
    /// <param name="listening">Did anybody listen where it must arrive?</param>
    /// <returns>The outcome, and in words what went wrong.</returns>
    public static (CheckOutcome Outcome, string? Reason) Judge(Probe probe, Evidence? seen, bool listening)
    {
        if (seen is { Fate: Fate.NotSent } && Circumstances.Contains(seen.Port))
        {
            return (CheckOutcome.NotProvable, $"{probe.Packet.Source} cannot be used: {Errno.Message(seen.Port)}");
        }

        if (seen is null && probe.Dropped)
        {
            return (CheckOutcome.NotProvable, "no packet that was sent after it was answered either");
        }

        if (seen is { Fate: Fate.Reset } && probe.Landing is not null)
        {
            return (CheckOutcome.NotProvable, $"{probe}: a running process took it and reset it at once");
        }

        bool asPlanned = seen switch
        {
            { Fate: Fate.Arrived } => probe.Landing == seen.Port && (seen.Original is null || seen.Original.Equals(probe.Destination)),
            { Fate: Fate.Left } => probe.Landing is null && probe.Destination.Equals(seen.Original),
            // Nobody listens there and the pod itself says so: it came to the port that it was sent to.
            { Fate: Fate.Dropped } => probe.Dropped,
            { Fate: Fate.Refused } => probe is { Port: null, Dropped: false } && probe.EndsInPod && !listening,
            _ => false,
        };
        return asPlanned ? (CheckOutcome.Held, null) : (CheckOutcome.Broken, $"{probe}: must {probe.Must}, but {Happened(seen)}");
    }

    private static string Happened(Evidence? seen) => seen switch
    {
        null => "was seen nowhere",
        { Fate: Fate.Left } => $"left the pod for {seen.Original}",
        { Fate: Fate.Refused } => "was refused",
        { Fate: Fate.Reset } => "was taken and reset by a process of the pod",
        { Fate: Fate.Failed } => $"its connection failed: {Errno.Message(seen.Port)}",
        { Fate: Fate.Unanswered } => $"arrived at port {seen.Port} and was not answered as from there",
        { Fate: Fate.NotSent } => $"could not be sent: {Errno.Message(seen.Port)}",
        { Original: null } => $"arrived at port {seen.Port}",
        _ => $"arrived at port {seen.Port}, on its way to {seen.Original}",
    };
}
