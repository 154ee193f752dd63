using System.Net;

namespace MeshL4.Interceptor.Verify;

/// <summary>A probe on its way.</summary>
internal sealed class Attempt(Probe probe)
{
    /// <summary>What is sent, and what must become of it.</summary>
    public Probe Probe => probe;

    /// <summary>Why it cannot be sent or judged here, or null.</summary>
    public string? Obstacle { get; private set; } = probe.Obstacle;

    /// <summary>Where it was sent from; null before it was.</summary>
    public IPEndPoint? Source { get; private set; }

    /// <summary>What was seen of it; null so far.</summary>
    public Evidence? Evidence { get; set; }

    /// <summary>Does anybody listen where it must arrive?</summary>
    public bool Listening { get; set; }

    /// <summary>Can something still be seen of it?</summary>
    public bool IsPending => Obstacle is null && Evidence is null;

    /// <summary>Does it need a pair, for itself or for the pod's own address?</summary>
    public bool NeedsNetwork => probe.Link is not null || probe.Packet.Destination.Equals(ProbeLink.Ordinary.Address(probe.Family));

    /// <summary>The outcome, and in words what went wrong.</summary>
    public (CheckOutcome Outcome, string? Reason) Judged =>
        Obstacle is null ? Evidence.Judge(probe, Evidence, Listening) : (CheckOutcome.NotProvable, Obstacle);

    /// <summary>Could another try end otherwise, though the rules are the same?</summary>
    public bool IsDoubtful => Judged.Outcome == CheckOutcome.Broken || Evidence is { Fate: Fate.Reset };

    /// <summary>Says why nothing can be said; the first reason stands.</summary>
    public void Refuse(string? obstacle) => Obstacle ??= obstacle;

    /// <summary>It was sent from <paramref name="source"/>, or <paramref name="errno"/> says why not.</summary>
    public void Sent(IPEndPoint source, int errno)
    {
        if (errno == 0)
        {
            Source = source;
        }
        else
        {
            Evidence = new Evidence(Fate.NotSent, errno);
        }
    }
}
