namespace MeshL4.L4Proxy.Sniffing;

/// <summary>What to do after a look at the bytes so far.</summary>
internal enum SniffStatus
{
    /// <summary>Wait for more bytes; nothing is consumed.</summary>
    NeedMore,

    /// <summary>Decided: <see cref="SniffVerdict.Result"/> is set.</summary>
    Done,

    /// <summary>Close the connection: <see cref="SniffVerdict.Reason"/> says why.</summary>
    Reject,
}

/// <summary>One answer of the <see cref="Sniffer"/>.</summary>
/// <param name="Status">Which of the three it is.</param>
/// <param name="Result">Set exactly when done.</param>
/// <param name="Reason">Set exactly when rejected; our own words, never client bytes.</param>
internal readonly record struct SniffVerdict(SniffStatus Status, SniffResult? Result, string? Reason)
{
    public static readonly SniffVerdict NeedMore = new(SniffStatus.NeedMore, null, null);

    public static SniffVerdict Done(SniffResult result) => new(SniffStatus.Done, result, null);

    public static SniffVerdict Reject(string reason) => new(SniffStatus.Reject, null, reason);
}
