using System.Buffers;
using System.Net.Sockets;
using System.Text;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>A connection to a real server, read reply by reply.</summary>
internal sealed class RedisLink : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 20_000 };
    private readonly byte[] _buffer = new byte[1024 * 1024];
    private int _length;

    public RedisLink(string path) => _socket.Connect(new UnixDomainSocketEndPoint(path));

    public void Send(ReadOnlySpan<byte> bytes) => _socket.Send(bytes);

    /// <summary>Sends bytes and gives the next reply.</summary>
    public byte[] Exchange(ReadOnlySpan<byte> bytes)
    {
        Send(bytes);
        return Receive(out _);
    }

    public byte[] Receive(out FrameHead head)
    {
        var scanner = new RespReplyScanner(RespLimitsOptions.Default);
        head = default;
        int at = 0;
        while (true)
        {
            ScanStatus status = scanner.Scan(_buffer.AsSpan(at, _length - at), ref head, out int consumed);
            at += consumed;
            if (status == ScanStatus.Bad)
            {
                throw new InvalidOperationException($"{(RespFault)head.Fault} in {Encoding.Latin1.GetString(_buffer, 0, _length)}");
            }

            if (status == ScanStatus.Done)
            {
                byte[] reply = _buffer[..at];
                _buffer.AsSpan(at, _length - at).CopyTo(_buffer);
                _length -= at;
                return reply;
            }

            int received = _socket.Receive(_buffer.AsSpan(_length));
            _length += received > 0 ? received : throw new EndOfStreamException();
        }
    }

    public static byte[] Frame(params string[] words)
    {
        var frame = new ArrayBufferWriter<byte>();
        RespWriter.WriteHeader(frame, (byte)'*', words.Length);
        foreach (string word in words)
        {
            RespWriter.WriteBulk(frame, Encoding.Latin1.GetBytes(word));
        }

        return frame.WrittenSpan.ToArray();
    }

    public void Dispose() => _socket.Dispose();
}
