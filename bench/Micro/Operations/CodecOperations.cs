using System.Buffers;
using System.Text;
using MeshL4.Samples.PingPong;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.Micro.Operations;

/// <summary>What a codec costs a frame on the happy path, by the contract the runtime uses. Each returns the bytes taken or written.</summary>
internal sealed class CodecOperations
{
    private readonly OneFrame<RespCodec> _redisGet = new(Encoding.ASCII.GetBytes("*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000042\r\n"));
    private readonly OneFrame<PingPongCodec> _pingPongCall;

    /// <summary>Codecs at the beginning of a connection.</summary>
    public CodecOperations()
    {
        var output = new ArrayBufferWriter<byte>();
        PingPongCodec.Write(output, PingPongKind.Call, 7, "orders.list", new byte[64]);
        _pingPongCall = new OneFrame<PingPongCodec>(output.WrittenSpan.ToArray());
    }

    /// <summary>One GET of Redis: scanned, and its key read.</summary>
    public int RedisGet() => _redisGet.ScanWithKey();

    /// <summary>One call of the sample protocol with 64 bytes: scanned, and its service read.</summary>
    public int PingPongCall() => _pingPongCall.ScanWithKey();

    /// <summary>The same written with a part of its service removed.</summary>
    public int PingPongEdit() => _pingPongCall.Edit();

    private sealed class OneFrame<TCodec>(byte[] frame)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        private readonly ArrayBufferWriter<byte> _output = new(1024);
        private TCodec _codec = TCodec.Start(Side.Downstream, CodecLimits.Default);
        private FrameHead _head;

        public int ScanWithKey()
        {
            _codec.Scan(frame, ref _head, out int consumed);
            return _codec.TryMeta(new FrameView(ref _head, frame, isWhole: true), TCodec.Traits.KeyMeta, out ReadOnlySpan<byte> key) ? consumed + key.Length : 0;
        }

        public int Edit()
        {
            _codec.Scan(frame, ref _head, out _);
            _output.ResetWrittenCount();
            return _codec.WriteEdited(new FrameView(ref _head, frame, isWhole: true), new HeadEdit(9, RemoveKeyBytes: 7), _output) ? _output.WrittenCount : 0;
        }
    }
}
