using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <content>Frames that the proxy writes itself.</content>
public sealed partial class CodecConformance<TCodec>
{
    /// <summary>Words that would break a protocol of lines, or one of counted bytes, were they taken as they are.</summary>
    private static readonly string?[] Messages = [null, "", "refused", "two\r\nlines\r\n", "NUL \0 and ünï", new string('w', 2000)];

    private void LocalReplies()
    {
        foreach (GoldenFrame frame in Sample.From(Side.Downstream))
        {
            Scanned(frame.From, frame.Bytes, out FrameHead request);
            if (request.Kind is not (FrameKind.Request or FrameKind.StreamOpen))
            {
                continue;
            }

            foreach (LocalReplyReason reason in Enum.GetValues<LocalReplyReason>())
            {
                foreach (string? message in Messages)
                {
                    RequireLocalReply(frame, request, new LocalReply(reason, message, SeedOf(frame.Bytes)));
                }
            }
        }
    }

    /// <summary>What the runtime keeps of a request.</summary>
    internal static ReadOnlySpan<byte> SeedOf(ReadOnlySpan<byte> request) => request[..Math.Min(Traits.ReplySeedBytes, request.Length)];

    private void RequireLocalReply(GoldenFrame frame, in FrameHead request, in LocalReply reply)
    {
        var output = new ArrayBufferWriter<byte>();
        string what = $"{reply.Reason} '{reply.Message}'";
        bool answered = TCodec.WriteLocalReply(request, reply, output);
        if ((request.Flags & FrameFlags.OneWay) != 0 || !answered)
        {
            Unless((request.Flags & FrameFlags.OneWay) != 0 && !answered && output.WrittenCount == 0, frame, () => $"a one-way request is answered, or another is not ({what})");
            return;
        }

        Scanned(Side.Upstream, output.WrittenSpan, out FrameHead head, $"'{frame.Name}', the answer for {what}");
        ulong id = request.Id;
        bool hasErrors = Sample.From(Side.Upstream).Any(static golden => golden.Kind == FrameKind.ErrorResponse);
        Unless(
            head.Kind == FrameKind.ErrorResponse || (head.Kind == FrameKind.Response && !hasErrors),
            frame,
            () => $"the answer for {what} is a {head.Kind}{(hasErrors ? ", where the protocol has errors" : "")}");
        Unless(head.Id == id, frame, () => $"the answer for {what} has id {head.Id}");
    }

    private void ControlFrames()
    {
        foreach (Side side in Enum.GetValues<Side>())
        {
            foreach (ControlFrame control in Enum.GetValues<ControlFrame>())
            {
                RequireControl(side, control, 1);
                RequireControl(side, control, HighestId);
            }
        }
    }

    private static ulong HighestId => Traits.IdBits >= 64 ? ulong.MaxValue : (1UL << Traits.IdBits) - 1;

    private void RequireControl(Side side, ControlFrame control, ulong id)
    {
        string what = $"{Name}: {control} of {side}";
        bool isMultiplexed = Traits.Order == FrameOrder.Multiplexed;
        var output = new ArrayBufferWriter<byte>();
        bool written = TCodec.TryWriteControl(side, control, id, output);
        ConformanceException.Unless(written || output.WrittenCount == 0, () => $"{what}: said no and wrote bytes");
        Heartbeats heartbeat = side == Side.Downstream ? Heartbeats.FromClient : Heartbeats.FromServer;
        if (control == ControlFrame.Ping)
        {
            ConformanceException.Unless(written == Traits.Heartbeats.HasFlag(heartbeat), () => $"{what}: written is {written}, but the traits say {Traits.Heartbeats}");
        }

        if (!written)
        {
            return;
        }

        Scanned(side, output.WrittenSpan, out FrameHead head);
        bool isRight = (control, head.Kind) switch
        {
            (ControlFrame.Ping, FrameKind.Ping) or (ControlFrame.Pong, FrameKind.Pong) or (ControlFrame.GoAway, FrameKind.GoAway) => true,

            // Where answers come in order a ping may be a request like any other.
            (ControlFrame.Ping, FrameKind.Request) => !isMultiplexed && head.Replies == 1,
            _ => false,
        };
        ConformanceException.Unless(isRight, () => $"{what}: the frame is a {head.Kind}");
        ConformanceException.Unless(
            !isMultiplexed || control == ControlFrame.GoAway || head.Id == id || (head.Id == 0 && HasNoId(head.Kind)),
            () => $"{what}: the frame has id {head.Id}, not {id}, and no golden {head.Kind} says that it has none");
        if (head.Kind == FrameKind.Ping)
        {
            Side other = side == Side.Downstream ? Side.Upstream : Side.Downstream;
            ConformanceException.Unless(TCodec.TryWriteControl(other, ControlFrame.Pong, id, new ArrayBufferWriter<byte>()), () => $"{what}: has no Pong");
        }
    }

    private bool HasNoId(FrameKind kind)
    {
        GoldenFrame[] frames = [.. Sample.Frames.Where(frame => frame.Kind == kind)];
        return frames.Length > 0 && frames.All(static frame => frame.Id == 0);
    }

    private void Detects()
    {
        ConformanceException.Unless(TCodec.Detect([]) == Detection.More, () => $"{Name}: nothing at all is {TCodec.Detect([])}");
        foreach (GoldenFrame frame in Sample.From(Traits.FirstSpeaker))
        {
            bool known = false;
            for (int length = 1; length <= frame.Bytes.Length; length++)
            {
                Detection detection = TCodec.Detect(frame.Bytes.AsSpan(0, length));
                Unless(detection == Detection.Yes || (detection == Detection.More && !known), frame, () => $"the first {length} bytes are {detection}");
                known = detection == Detection.Yes;
            }

            Unless(known || frame.Kind == FrameKind.Empty, frame, () => "is not detected");
        }
    }
}
