using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>Asks a codec everything that the runtime may ask behind a frame, whatever the frame is.</summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
/// <param name="limits">Bounds.</param>
internal sealed class FrameExercise<TCodec>(CodecLimits limits)
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>Frames of one input whose metadata is edited.</summary>
    private const int MostEdited = 4;

    /// <summary>Every value there is, and one that is not, set to what is short, long or hostile, and taken away.</summary>
    private static readonly MetaEdit[][] MetaEdits =
    [
        .. TCodec.Traits.Meta.Select(static meta => meta.Name).Append("x-added").SelectMany(
            static name => (MetaEdit[][])[[Set(name, "x"u8)], [Set(name, "\r\n$-1\r\n\0"u8)], [Set(name, new byte[300])], [new MetaEdit(name, null)]]),
        [.. TCodec.Traits.Meta.Select(static meta => Set(meta.Name, "x"u8))],
    ];

    private readonly ArrayBufferWriter<byte> _output = new();
    private int _edited;

    /// <summary>Scans bytes from a connection's first and asks behind each frame.</summary>
    public void Run(Side from, ReadOnlySpan<byte> bytes)
    {
        _edited = 0;
        TCodec.Detect(bytes);
        TCodec codec = TCodec.Start(from, limits);
        var head = default(FrameHead);
        while (!bytes.IsEmpty)
        {
            ScanStatus status = codec.Scan(bytes, ref head, out int consumed);
            if (status == ScanStatus.Bad)
            {
                LocalReply(from, head, new LocalReply(LocalReplyReason.BadFrame, TCodec.Describe(head.Fault), CodecConformance<TCodec>.SeedOf(bytes[..consumed])), mustAnswer: false);
                return;
            }

            if (status is ScanStatus.Head or ScanStatus.Done)
            {
                Ask(from, ref codec, new FrameView(ref head, bytes[..consumed], status == ScanStatus.Done));
            }

            bytes = bytes[consumed..];
        }
    }

    private void Ask(Side from, ref TCodec codec, in FrameView frame)
    {
        // Indexes outside of the declared ones stand for a runtime that is mistaken: the codec says no.
        for (int meta = -1; meta <= TCodec.Traits.Meta.Length; meta++)
        {
            if (codec.TryMeta(frame, meta, out ReadOnlySpan<byte> value) && value.Length > frame.Bytes.Length)
            {
                // It may lie in a buffer of the codec's, where the frame has it in other words; more than the frame says it cannot be.
                throw new ConformanceException($"metadata {meta} is longer than the frame");
            }
        }

        bool hasId = TCodec.Traits.Order == FrameOrder.Multiplexed;
        Edit(from, ref codec, frame, default);
        Edit(from, ref codec, frame, new HeadEdit(hasId ? 5 : null, RemoveKeyBytes: 1));
        Edit(from, ref codec, frame, new HeadEdit(hasId ? 6 : null, RemoveKeyBytes: int.MaxValue));
        if (_edited++ < MostEdited)
        {
            foreach (MetaEdit[] edits in MetaEdits)
            {
                Edit(from, ref codec, frame, new HeadEdit(hasId ? 7 : null, Metadata: edits));
            }
        }

        if (frame.IsWhole && from == Side.Downstream && frame.Head.Kind is FrameKind.Request or FrameKind.StreamOpen)
        {
            LocalReply(from, frame.Head, new LocalReply(LocalReplyReason.Timeout, requestBytes: CodecConformance<TCodec>.SeedOf(frame.Bytes)), mustAnswer: (frame.Head.Flags & FrameFlags.OneWay) == 0);
        }
    }

    private static MetaEdit Set(string name, ReadOnlySpan<byte> value) => new(name, value.ToArray());

    private void Edit(Side from, ref TCodec codec, in FrameView frame, in HeadEdit edit)
    {
        _output.ResetWrittenCount();
        if (!codec.WriteEdited(frame, edit, _output))
        {
            if (_output.WrittenCount > 0)
            {
                throw new ConformanceException("WriteEdited said no and wrote bytes");
            }
        }
        else if (frame.IsWhole)
        {
            FrameHead head = One(from, "an edited frame");
            if (head.Kind != frame.Head.Kind || head.Id != (edit.Id ?? frame.Head.Id))
            {
                throw new ConformanceException($"an edited {frame.Head.Kind} with id {frame.Head.Id} is a {head.Kind} with id {head.Id}");
            }
        }
    }

    private void LocalReply(Side from, in FrameHead request, in LocalReply reply, bool mustAnswer)
    {
        _output.ResetWrittenCount();
        if (from == Side.Upstream)
        {
            return;
        }

        if (!TCodec.WriteLocalReply(request, reply, _output))
        {
            ConformanceException.Unless(!mustAnswer && _output.WrittenCount == 0, () => "a request got no local reply, or bytes and a no");
            return;
        }

        FrameHead head = One(Side.Upstream, "a local reply");
        if (head.Id != request.Id || head.Kind is not (FrameKind.Response or FrameKind.ErrorResponse))
        {
            throw new ConformanceException($"the local reply to id {request.Id} is a {head.Kind} with id {head.Id}");
        }
    }

    private FrameHead One(Side from, string what)
    {
        TCodec codec = TCodec.Start(from, limits);
        var head = default(FrameHead);
        ScanStatus status = codec.Scan(_output.WrittenSpan, ref head, out int consumed);
        return status == ScanStatus.Done && consumed == _output.WrittenCount
            ? head
            : throw new ConformanceException($"{what} is {status} behind {consumed} bytes: {ConformanceException.Show(_output.WrittenSpan)}");
    }
}
