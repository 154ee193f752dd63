using System.Buffers;
using System.Text;
using MeshL4.Samples.PingPong;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.Micro.Operations;

/// <summary>What a codec costs a frame on the happy path, by the contract the runtime uses. Each returns the bytes taken or written.</summary>
internal sealed class CodecOperations
{
    private readonly FrameOperations<RespCodec> _redisGet = new(Side.Downstream, Encoding.ASCII.GetBytes("*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000042\r\n"));
    private readonly FrameOperations<PingPongCodec> _pingPongCall;

    /// <summary>Codecs at the beginning of a connection.</summary>
    public CodecOperations()
    {
        var output = new ArrayBufferWriter<byte>();
        PingPongCodec.Write(output, PingPongKind.Call, 7, "orders.list", new byte[64]);
        _pingPongCall = new FrameOperations<PingPongCodec>(Side.Downstream, output.WrittenSpan.ToArray());
    }

    /// <summary>One GET of Redis: scanned, and its key read.</summary>
    public int RedisGet() => _redisGet.ScanWithKey();

    /// <summary>One call of the sample protocol with 64 bytes: scanned, and its service read.</summary>
    public int PingPongCall() => _pingPongCall.ScanWithKey();

    /// <summary>The same written with a part of its service removed.</summary>
    public int PingPongEdit() => _pingPongCall.Edit(new HeadEdit(9, RemoveKeyBytes: 7));
}
