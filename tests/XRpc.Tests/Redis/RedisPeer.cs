using System.Buffers;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>A real redis-server of this test's own, on a Unix socket, and one connection to it.</summary>
internal sealed class RedisPeer : IDisposable
{
    private readonly Process _server;
    private readonly string _directory = Directory.CreateTempSubdirectory("redis").FullName;
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly byte[] _buffer = new byte[1024 * 1024];
    private int _length;

    public RedisPeer(params string[] options)
    {
        string path = Path.Combine(_directory, "socket");
        string[] arguments = ["--port", "0", "--unixsocket", path, "--dir", _directory, "--save", "", "--enable-debug-command", "yes", .. options];
        _server = Process.Start(new ProcessStartInfo("redis-server", arguments) { RedirectStandardOutput = true })!;
        _socket.ReceiveTimeout = 20_000;
        Connect(path);
    }

    /// <summary>Sends words as a command and gives the whole reply; pushes before it come with it.</summary>
    public byte[] Ask(params string[] words) => Exchange(Frame(words));

    /// <summary>Sends bytes and gives the next reply.</summary>
    public byte[] Exchange(ReadOnlySpan<byte> bytes)
    {
        _socket.Send(bytes);
        return Receive();
    }

    public byte[] Receive()
    {
        var scanner = new RespReplyScanner(RespLimitsOptions.Default);
        FrameHead head = default;
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

    public void Dispose()
    {
        _socket.Dispose();
        _server.Kill();
        _server.WaitForExit();
        _server.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private void Connect(string path)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                _socket.Connect(new UnixDomainSocketEndPoint(path));
                return;
            }
            catch (SocketException) when (attempt < 200 && !_server.HasExited)
            {
                Thread.Sleep(50);
            }
        }
    }
}
