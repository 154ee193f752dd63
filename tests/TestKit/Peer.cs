using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace MeshL4.TestKit;

/// <summary>A TCP server of the test on loopback, doing one thing with every connection.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ConcurrentBag<Socket> _held = [];

    private Peer(int backlog)
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(backlog);
    }

    public EndPoint Address => _listener.LocalEndPoint!;

    /// <summary>Everything received by <see cref="Recorder"/>, one entry a connection, complete when its client has ended.</summary>
    public ConcurrentQueue<byte[]> Received { get; } = new();

    public static Peer Echo() => Serve(static async (_, socket) =>
    {
        await using var stream = new NetworkStream(socket);
        await stream.CopyToAsync(stream);
        socket.Shutdown(SocketShutdown.Send);
    });

    /// <summary>Says <paramref name="text"/> at once, then echoes.</summary>
    public static Peer Banner(string text) => Serve(async (_, socket) =>
    {
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text));
        await stream.CopyToAsync(stream);
        socket.Shutdown(SocketShutdown.Send);
    });

    /// <summary>Keeps what arrives and answers "ok" when the client has ended.</summary>
    public static Peer Recorder() => Serve(static async (peer, socket) =>
    {
        using var received = new MemoryStream();
        await using var stream = new NetworkStream(socket);
        await stream.CopyToAsync(received);
        peer.Received.Enqueue(received.ToArray());
        await stream.WriteAsync("ok"u8.ToArray());
        socket.Shutdown(SocketShutdown.Send);
    });

    /// <summary>Accepts and never reads.</summary>
    public static Peer NeverReads() => Serve(static (_, _) => Task.Delay(Timeout.Infinite), receiveBuffer: 4096);

    /// <summary>Reads a first piece, answers it in part, then resets.</summary>
    public static Peer ResetsMidStream() => Serve(static async (_, socket) =>
    {
        byte[] piece = new byte[1024];
        int count = await socket.ReceiveAsync(piece);
        await socket.SendAsync(piece.AsMemory(0, Math.Max(1, count / 2)));
        socket.LingerState = new LingerOption(true, 0);
        socket.Dispose();
    });

    /// <summary>A listener whose queue is full and is never emptied: the kernel drops further SYNs.</summary>
    public static Peer FullBacklog()
    {
        var peer = new Peer(backlog: 0);
        for (int i = 0; i < 4; i++)
        {
            var filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
            peer._held.Add(filler);
            try
            {
                filler.Connect(peer.Address);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
            {
                // As meant: under way, or never to arrive.
            }
        }

        return peer;
    }

    /// <summary>An address where nobody listens.</summary>
    public static EndPoint Refusing() => new IPEndPoint(IPAddress.Loopback, Bootstrap.FreePort());

    public void Dispose()
    {
        _listener.Dispose();
        foreach (Socket socket in _held)
        {
            socket.Dispose();
        }
    }

    private static Peer Serve(Func<Peer, Socket, Task> serve, int? receiveBuffer = null)
    {
        var peer = new Peer(backlog: 4096);
        if (receiveBuffer is int bytes)
        {
            peer._listener.ReceiveBufferSize = bytes;
        }

        _ = peer.AcceptAsync(serve);
        return peer;
    }

    private async Task AcceptAsync(Func<Peer, Socket, Task> serve)
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptAsync();
                _held.Add(socket);
                _ = ServeOneAsync(socket, serve);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeOneAsync(Socket socket, Func<Peer, Socket, Task> serve)
    {
        try
        {
            await serve(this, socket);
            socket.Dispose();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            socket.Dispose();
        }
    }
}
