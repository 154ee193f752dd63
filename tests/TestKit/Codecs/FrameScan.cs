using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>Gives bytes to a codec in pieces, as the runtime does, and holds it to the rules of <see cref="IXRpcCodec{TSelf}.Scan"/>.</summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
public static class FrameScan<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>Scans from a connection's first byte. Allocates nothing unless a rule is broken.</summary>
    /// <param name="from">Who sends the bytes.</param>
    /// <param name="limits">Bounds.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="cuts">Rising offsets at which one piece ends and the next begins; an empty piece is allowed.</param>
    /// <param name="log">Gets the frames.</param>
    public static void Run(Side from, CodecLimits limits, ReadOnlySpan<byte> bytes, ReadOnlySpan<int> cuts, FrameLog log)
    {
        log.Clear();
        var state = new State { Codec = TCodec.Start(from, limits) };
        int at = 0;
        foreach (int cut in cuts)
        {
            if (!Piece(bytes[at..cut], ref state, log))
            {
                return;
            }

            at = cut;
        }

        if (Piece(bytes[at..], ref state, log) && state.Taken > 0)
        {
            log.Add(ScanStatus.More, state.Head);
        }
    }

    /// <summary>As <see cref="Run"/>, one byte at a time.</summary>
    public static void RunByteByByte(Side from, CodecLimits limits, ReadOnlySpan<byte> bytes, FrameLog log)
    {
        log.Clear();
        var state = new State { Codec = TCodec.Start(from, limits) };
        for (int i = 0; i < bytes.Length; i++)
        {
            if (!Piece(bytes.Slice(i, 1), ref state, log))
            {
                return;
            }
        }

        if (state.Taken > 0)
        {
            log.Add(ScanStatus.More, state.Head);
        }
    }

    private static bool Piece(ReadOnlySpan<byte> piece, ref State state, FrameLog log)
    {
        do
        {
            ScanStatus status = state.Codec.Scan(piece, ref state.Head, out int consumed);
            if (consumed < 0 || consumed > piece.Length)
            {
                throw new ConformanceException($"Scan took {consumed} bytes of {piece.Length}");
            }

            piece = piece[consumed..];
            state.Taken += consumed;
            switch (status)
            {
                case ScanStatus.Bad:
                    RequireFault(state.Head);
                    log.Add(status, state.Head);
                    return false;
                case ScanStatus.Done:
                    RequireEnd(state);
                    log.Add(status, state.Head);
                    (state.Taken, state.HeadTold) = (0, false);
                    break;
                default:
                    RequireAllTaken(status, piece, ref state);
                    break;
            }
        }
        while (!piece.IsEmpty);
        return true;
    }

    private static void RequireFault(in FrameHead head)
    {
        if (head.Fault == 0 || string.IsNullOrWhiteSpace(TCodec.Describe(head.Fault)))
        {
            throw new ConformanceException($"Scan said Bad with fault {head.Fault}, which Describe has no words for");
        }
    }

    private static void RequireEnd(in State state)
    {
        if (state.Taken == 0 || state.Head.Length != state.Taken || state.Head.Kind == FrameKind.None)
        {
            throw new ConformanceException(
                $"Scan said Done of a frame of kind {state.Head.Kind} and length {state.Head.Length} behind {state.Taken} bytes");
        }
    }

    private static void RequireAllTaken(ScanStatus status, ReadOnlySpan<byte> left, ref State state)
    {
        if (!left.IsEmpty)
        {
            throw new ConformanceException($"Scan said {status} and left {left.Length} bytes");
        }

        if (status == ScanStatus.Head && state.HeadTold)
        {
            throw new ConformanceException("Scan said Head twice of one frame");
        }

        state.HeadTold |= status == ScanStatus.Head;
    }

    private struct State
    {
        public TCodec Codec;
        public FrameHead Head;
        public long Taken;
        public bool HeadTold;
    }
}
