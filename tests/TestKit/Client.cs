using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.TestKit;

/// <summary>A client over a real socket, with the ways a client can misbehave.</summary>
internal sealed class Client : IDisposable
{
    private readonly Socket _socket;

    private Client(Socket socket, EndPoint address) => (_socket, Address) = (socket, address);

    /// <summary>Its own address: the key of its access record.</summary>
    public EndPoint Address { get; }

    /// <summary>Neither bytes nor an end, nor a reset, are there to be read.</summary>
    public bool IsSilent => !_socket.Poll(0, SelectMode.SelectRead);

    public static async Task<Client> ConnectAsync(int port, string address = "127.0.0.1")
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Parse(address), port).WaitAsync(Patience.Limit);
        return new Client(socket, socket.LocalEndPoint!);
    }

    /// <summary>To a listener that ends its connections by itself, maybe before this side has heard that it is connected: the end is then to be read all the same.</summary>
    public static async Task<Client> ConnectToBeEndedAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        EndPoint address = socket.LocalEndPoint!;
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port).WaitAsync(Patience.Limit);
        }
        catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
        {
            // It was connected, and is no more.
        }

        return new Client(socket, address);
    }

    /// <summary>Sends all, or as much as the other side takes before it resets.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes, int pieceLength = int.MaxValue)
    {
        try
        {
            while (!bytes.IsEmpty)
            {
                int length = Math.Min(pieceLength, bytes.Length);
                await _socket.SendAsync(bytes[..length]).AsTask().WaitAsync(Patience.Limit);
                bytes = bytes[length..];
            }
        }
        catch (SocketException)
        {
            // Refused half-way: the record tells why.
        }
    }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    /// <summary>Sends as much as is taken without anybody reading, for half a second at most without progress.</summary>
    public async Task FloodAsync(byte[] piece)
    {
        try
        {
            while (true)
            {
                await _socket.SendAsync(piece).WaitAsync(TimeSpan.FromMilliseconds(500));
            }
        }
        catch (Exception e) when (e is TimeoutException or SocketException)
        {
            // Full, or reset: both as meant.
        }
    }

    public void EndSending()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // Already reset.
        }
    }

    /// <summary>What arrives until the end; a reset ends it, too, and is told.</summary>
    public async Task<(byte[] Bytes, bool Reset)> ReadToEndAsync()
    {
        using var received = new MemoryStream();
        byte[] piece = new byte[16 * 1024];
        try
        {
            int count;
            while ((count = await _socket.ReceiveAsync(piece).WaitAsync(Patience.Limit)) > 0)
            {
                received.Write(piece, 0, count);
            }

            return (received.ToArray(), false);
        }
        catch (SocketException)
        {
            return (received.ToArray(), true);
        }
    }

    public async Task<string> ReadTextToEndAsync() => Encoding.UTF8.GetString((await ReadToEndAsync()).Bytes);

    /// <summary>Exactly as many characters as <paramref name="expected"/> has, fewer when the stream ends.</summary>
    public async Task<string> ReadAsync(string expected)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(expected)];
        int filled = 0;
        int count = -1;
        while (filled < bytes.Length && count != 0)
        {
            count = await _socket.ReceiveAsync(bytes.AsMemory(filled)).AsTask().WaitAsync(Patience.Limit);
            filled += count;
        }

        return Encoding.UTF8.GetString(bytes, 0, filled);
    }

    /// <summary>Sends, and reads the same back.</summary>
    public async Task<string> EchoAsync(string text)
    {
        await SendAsync(text);
        return await ReadAsync(text);
    }

    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();
}
