using System.Buffers;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.Samples.PingPong;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests;

/// <summary>A codec whose traits promise what the runtime does not do is refused by their name when it is added.</summary>
public sealed class CodecSetTests
{
    private interface ITraits
    {
        static abstract CodecTraits Value { get; }
    }

    [Fact]
    public void Add_PinnedConnections_IsRefused() =>
        Should.Throw<ArgumentException>(static () => new CodecSet().Add<Other<Pinned>>()).Message.ShouldStartWith("codec 'pinned': Affinity.Pinned is not supported");

    [Fact]
    public void Add_ServerThatSpeaksFirst_IsRefused() =>
        Should.Throw<ArgumentException>(static () => new CodecSet().Add<Other<ServerFirst>>()).Message.ShouldStartWith("codec 'greets': FirstSpeaker.Upstream is not supported");

    [Fact]
    public void Add_ThatKeepsTooMuchOfEveryRequest_IsRefused() =>
        Should.Throw<ArgumentException>(static () => new CodecSet().Add<Other<KeepsTooMuch>>()).Message.ShouldBe("codec 'keeps': ReplySeedBytes is 1025, and may be 1024 at most");

    private readonly struct KeepsTooMuch : ITraits
    {
        public static CodecTraits Value { get; } = new("keeps", FrameOrder.Fifo, Side.Downstream) { ReplySeedBytes = 1025 };
    }

    private readonly struct Pinned : ITraits
    {
        public static CodecTraits Value { get; } = new("pinned", FrameOrder.Fifo, Side.Downstream) { Affinity = Affinity.Pinned };
    }

    private readonly struct ServerFirst : ITraits
    {
        public static CodecTraits Value { get; } = new("greets", FrameOrder.Fifo, Side.Upstream);
    }

    /// <summary>The sample codec under other traits.</summary>
    private struct Other<TTraits> : IXRpcCodec<Other<TTraits>>
        where TTraits : ITraits
    {
        private PingPongCodec _inner;

        public static CodecTraits Traits => TTraits.Value;

        public static Detection Detect(ReadOnlySpan<byte> first) => PingPongCodec.Detect(first);

        public static Other<TTraits> Start(Side from, CodecLimits limits) => new() { _inner = PingPongCodec.Start(from, limits) };

        public static string Describe(int fault) => PingPongCodec.Describe(fault);

        public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output) =>
            PingPongCodec.WriteLocalReply(request, reply, output);

        public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) =>
            PingPongCodec.TryWriteControl(from, control, id, output);

        public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed) => _inner.Scan(input, ref head, out consumed);

        public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value) => _inner.TryMeta(frame, meta, out value);

        public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) => _inner.WriteEdited(frame, edit, output);
    }
}
