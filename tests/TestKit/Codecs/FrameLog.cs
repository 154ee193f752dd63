using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>A frame as a scanner told it.</summary>
/// <param name="Status">Done, Bad, or More for one that the input ends in.</param>
/// <param name="Head">What is known of it.</param>
public readonly record struct ScannedFrame(ScanStatus Status, FrameHead Head)
{
    /// <summary>Whether two scans saw the same frame. Of one that did not end only its length counts, of a bad one the reason.</summary>
    public bool IsSameAs(in ScannedFrame other) => Status == other.Status && Status switch
    {
        ScanStatus.Done => Head.Kind == other.Head.Kind && Head.Flags == other.Head.Flags && Head.Method == other.Head.Method
            && Head.HeadLength == other.Head.HeadLength && Head.Replies == other.Head.Replies && Head.Id == other.Head.Id && Head.Length == other.Head.Length && Head.ReplySeed == other.Head.ReplySeed,
        ScanStatus.Bad => Head.Fault == other.Head.Fault,
        _ => Head.Length == other.Head.Length,
    };

    /// <inheritdoc/>
    public override string ToString() => $"{Status} {Head.Kind} {Head.Flags} id {Head.Id} length {Head.Length} method {Head.Method} head {Head.HeadLength} fault {Head.Fault}";
}

/// <summary>The frames that one scan of some bytes saw. Made once and used again, so that scanning can be shown to allocate nothing.</summary>
/// <param name="capacity">Frames kept; more than an input can have.</param>
public sealed class FrameLog(int capacity)
{
    private readonly ScannedFrame[] _frames = new ScannedFrame[capacity];

    /// <summary>The frames.</summary>
    public ReadOnlySpan<ScannedFrame> Frames => _frames.AsSpan(0, Count);

    /// <summary>How many.</summary>
    public int Count { get; private set; }

    /// <summary>Forgets all.</summary>
    public void Clear() => Count = 0;

    /// <summary>Keeps one.</summary>
    public void Add(ScanStatus status, in FrameHead head) => _frames[Count++] = new ScannedFrame(status, head);

    /// <summary>Whether another scan saw the same.</summary>
    public bool IsSameAs(FrameLog other)
    {
        if (Count != other.Count)
        {
            return false;
        }

        for (int i = 0; i < Count; i++)
        {
            if (!_frames[i].IsSameAs(other._frames[i]))
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join("; ", Frames.ToArray());
}
