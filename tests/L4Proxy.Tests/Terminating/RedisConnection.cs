using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.L4Proxy.Tests.Terminating;

/// <summary>A client that sends bytes as given, and reads until the other side closes.</summary>
internal sealed class RedisConnection : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    public static async Task<RedisConnection> OpenAsync(int port)
    {
        var connection = new RedisConnection();
        await connection._socket.ConnectAsync(IPAddress.Loopback, port);
        return connection;
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes)..];
        }
    }

    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends, half-closes, and reads all answers.</summary>
    public async Task<string> ExchangeAsync(string text)
    {
        Task sending = SendAsync(text);
        Task<string> reading = ReadToEndAsync();
        await sending;
        _socket.Shutdown(SocketShutdown.Send);
        return await reading;
    }

    public async Task<string> ReadToEndAsync()
    {
        var all = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        while (await _socket.ReceiveAsync(buffer) is > 0 and int got)
        {
            all.Write(buffer, 0, got);
        }

        return Encoding.Latin1.GetString(all.GetBuffer(), 0, (int)all.Length);
    }

    public async Task<string> ReadAsync(int length)
    {
        byte[] buffer = new byte[length];
        for (int got = 0; got < length;)
        {
            int read = await _socket.ReceiveAsync(buffer.AsMemory(got));
            got = read > 0 ? got + read : throw new EndOfStreamException(Encoding.Latin1.GetString(buffer, 0, got));
        }

        return Encoding.Latin1.GetString(buffer);
    }

    public void Dispose() => _socket.Dispose();
}
