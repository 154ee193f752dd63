using System.Buffers;
using MeshL4.Samples.PingPong;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests;

/// <summary>What is wrong with a <see cref="BrokenCodec{TDefect}"/>.</summary>
internal enum Defect
{
    ForgetsBytesAtCuts,
    AllocatesPerFrame,
    RemembersFrames,
    AnswersOneWay,
    LosesIdOfLocalReply,
    ThrowsOnBadBytes,
    TellsWrongHead,
    EndsTruncatedFrames,
    DetectsEverything,
    HasNoPong,
    ChangesMoreThanTheId,
    KeepsTheKey,
    SetsNoMetadata,
    LosesMetadata,
    TakesAnyLength,
    InventsMetadata,
    NeverEnds,
    HoldsTheBody,
    BelievesLengths,
    TellsNoHeadLength,
    TellsAShortHead,
    WritesWithoutAnEdit,
    SpoilsWithMetadata,
}

/// <summary>A defect as a type, so that each broken codec is one.</summary>
internal interface IDefect
{
    static abstract Defect Value { get; }
}

/// <summary>The sample codec with one thing wrong: what the kit has to find.</summary>
internal struct BrokenCodec<TDefect> : IXRpcCodec<BrokenCodec<TDefect>>
    where TDefect : IDefect
{
    private static readonly List<ulong> Remembered = [];

    private PingPongCodec _inner;
    private List<byte>? _held;
    private Side _from;

    public static CodecTraits Traits => PingPongCodec.Traits;

    public static Detection Detect(ReadOnlySpan<byte> first) => Is(Defect.DetectsEverything) ? Detection.Yes : PingPongCodec.Detect(first);

    public static BrokenCodec<TDefect> Start(Side from, CodecLimits limits) =>
        new() { _from = from, _inner = PingPongCodec.Start(from, Is(Defect.TakesAnyLength) ? CodecLimits.Default : limits) };

    public static string Describe(int fault) => PingPongCodec.Describe(fault);

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output) =>
        PingPongCodec.WriteLocalReply(
            request with
            {
                Flags = Is(Defect.AnswersOneWay) ? FrameFlags.None : request.Flags,
                Id = Is(Defect.LosesIdOfLocalReply) ? 1 : request.Id,
            },
            reply,
            output);

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) =>
        !(Is(Defect.HasNoPong) && control == ControlFrame.Pong) && PingPongCodec.TryWriteControl(from, control, id, output);

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        if (Is(Defect.ForgetsBytesAtCuts) && input.Length is > 0 and < 4)
        {
            _inner = PingPongCodec.Start(_from, CodecLimits.Default);
        }

        if (Is(Defect.AllocatesPerFrame) || (Is(Defect.HoldsTheBody) && input.Length == 1))
        {
            _held ??= [];
            _held.AddRange(input);
        }

        ScanStatus status = _inner.Scan(input, ref head, out consumed);
        if (Is(Defect.RemembersFrames))
        {
            Remembered.Add(head.Id);
        }

        return Distorted(status, ref head);
    }

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value)
    {
        if (Is(Defect.InventsMetadata) && frame.Bytes.Length > 30)
        {
            // More than the frame can have said.
            value = new byte[frame.Bytes.Length + 1];
            return true;
        }

        return _inner.TryMeta(frame, meta, out value);
    }

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output)
    {
        if (Is(Defect.BelievesLengths) && frame.Bytes.Length > 7)
        {
            // What an id of the client's says, taken for a length.
            GC.KeepAlive(new byte[frame.Head.Id & 0x7ffffff]);
        }

        if (Is(Defect.SetsNoMetadata) && edit.Metadata is not null)
        {
            return false;
        }

        HeadEdit done = Is(Defect.KeepsTheKey) ? edit with { RemoveKeyBytes = 0 } : Is(Defect.LosesMetadata) ? edit with { Metadata = null } : edit;
        bool written = _inner.WriteEdited(frame, done, output);
        if (written && ((Is(Defect.ChangesMoreThanTheId) && edit.Id is not null) || (Is(Defect.WritesWithoutAnEdit) && edit.IsEmpty)
            || (Is(Defect.SpoilsWithMetadata) && edit.Metadata is not null)))
        {
            output.Write("x"u8);
        }

        return written;
    }

    private static bool Is(Defect defect) => TDefect.Value == defect;

    private static ScanStatus Distorted(ScanStatus status, ref FrameHead head)
    {
        if (status == ScanStatus.Bad && Is(Defect.ThrowsOnBadBytes))
        {
            throw new InvalidDataException("bad bytes");
        }

        if (status == ScanStatus.Head && Is(Defect.TellsWrongHead))
        {
            head.Kind = FrameKind.Push;
        }

        head.HeadLength = Is(Defect.TellsNoHeadLength) ? 0 : Is(Defect.TellsAShortHead) ? Math.Min(head.HeadLength, 4) : head.HeadLength;
        if (status == ScanStatus.Bad && Is(Defect.NeverEnds))
        {
            Thread.Sleep(Timeout.Infinite);
        }

        return status == ScanStatus.Head && Is(Defect.EndsTruncatedFrames) ? ScanStatus.Done : status;
    }
}
