namespace MeshL4.Interceptor.Plan;

/// <summary>What a rule does with the packets that meet it.</summary>
/// <param name="Kind">The action.</param>
/// <param name="Port">Local port of <see cref="VerdictKind.Redirect"/> and <see cref="VerdictKind.Tproxy"/>; null otherwise, and the
/// packet goes on to where it wanted.</param>
/// <param name="Number">Mark or zone, for the kinds that have one.</param>
/// <param name="Set">Of <see cref="VerdictKind.Remember"/> and <see cref="VerdictKind.Forget"/>.</param>
internal readonly record struct RuleVerdict(VerdictKind Kind, int? Port = null, uint Number = 0, LearnedSet? Set = null)
{
    /// <summary>Leave the packet alone.</summary>
    public static RuleVerdict Return => new(VerdictKind.Return);

    /// <summary>Drop the packet.</summary>
    public static RuleVerdict Drop => new(VerdictKind.Drop);

    /// <summary>Keep the packet's mark in its connection.</summary>
    public static RuleVerdict SaveMark => new(VerdictKind.SaveMark);

    /// <summary>Give the packet the mark of its connection.</summary>
    public static RuleVerdict RestoreMark => new(VerdictKind.RestoreMark);

    /// <summary>Does the chain end here?</summary>
    public bool EndsChain => Kind is VerdictKind.Return or VerdictKind.Redirect or VerdictKind.Tproxy or VerdictKind.MarkAndAccept or VerdictKind.Drop;

    /// <summary>Redirect to a local port.</summary>
    public static RuleVerdict Redirect(int port) => new(VerdictKind.Redirect, port);

    /// <summary>To the socket that listens on a local port, marked so that routing keeps the packet here.</summary>
    public static RuleVerdict Tproxy(int port, uint mark) => new(VerdictKind.Tproxy, port, mark);

    /// <summary>Mark and go on.</summary>
    public static RuleVerdict Mark(uint mark) => new(VerdictKind.Mark, null, mark);

    /// <summary>Mark, and no further rule of this chain.</summary>
    public static RuleVerdict MarkAndAccept(uint mark) => new(VerdictKind.MarkAndAccept, null, mark);

    /// <summary>Track in this zone.</summary>
    public static RuleVerdict Zone(uint zone) => new(VerdictKind.Zone, null, zone);

    /// <summary>Add the local port to <paramref name="set"/>.</summary>
    public static RuleVerdict Remember(LearnedSet set) => new(VerdictKind.Remember, Set: set);

    /// <summary>Take the local port out of <paramref name="set"/>.</summary>
    public static RuleVerdict Forget(LearnedSet set) => new(VerdictKind.Forget, Set: set);
}
