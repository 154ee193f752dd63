using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Something that listens where a control plane was meant, and answers every connection with the bytes of its kind.</summary>
internal sealed class NonsenseServer : IDisposable
{
    private const byte Data = 0, Headers = 1, Settings = 4, Continuation = 9;
    private const byte EndHeaders = 4, EndStream = 1;
    private const int Flood = 64 << 20;
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Func<NetworkStream, Task> _answer;
    private int _connections;

    public NonsenseServer(string kind)
    {
        _answer = kind switch
        {
            "closes at once" => static _ => Task.CompletedTask,
            "random bytes" => static stream => Random(stream),
            "HTTP/1.1" => static stream => stream.WriteAsync("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"u8.ToArray()).AsTask(),
            "a frame of 16 MB" => stream => SendAsync(stream, [.. Frame(Settings, 0, 0, []), 0xff, 0xff, 0xff, Data, 0, 0, 0, 0, 1]),
            "a message of 2 GB" => stream => SendAsync(stream, [.. Opening(), .. Frame(Data, 0, 1, [0, 0x7f, 0xff, 0xff, 0xff])]),
            "HTML" => stream => SendAsync(stream, [.. Frame(Settings, 0, 0, []), .. Frame(Headers, EndHeaders, 1, [0x88, .. ContentType("text/html")]), .. Frame(Data, EndStream, 1, "<html>"u8.ToArray())]),
            "status 503" => stream => SendAsync(stream, [.. Frame(Settings, 0, 0, []), .. Frame(Headers, EndHeaders | EndStream, 1, [0x08, 3, .. "503"u8])]),
            "trailers without end" => EndlessTrailersAsync,
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(16);
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>Connections so far.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Whether somebody read all that a flood had.</summary>
    public bool WasSwallowed { get; private set; }

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                using Socket socket = await _listener.AcceptAsync();
                Interlocked.Increment(ref _connections);
                await AnswerAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task AnswerAsync(Socket socket)
    {
        try
        {
            await using var stream = new NetworkStream(socket);
            await stream.ReadAtLeastAsync(new byte[4096], 24); // the preface of HTTP/2 has as many
            await _answer(stream);
            socket.Shutdown(SocketShutdown.Send);
            await stream.CopyToAsync(Stream.Null).WaitAsync(TestKit.Patience.Limit);
        }
        catch (Exception e) when (e is IOException or SocketException or TimeoutException)
        {
            // The client has had enough, as it should.
        }
    }

    private async Task EndlessTrailersAsync(NetworkStream stream)
    {
        await SendAsync(stream, [.. Opening(), .. Frame(Headers, EndStream, 1, Trailer(0))]);
        for (int sent = 0, i = 1; sent < Flood; i++)
        {
            byte[] more = Frame(Continuation, 0, 1, [.. Enumerable.Range(0, 100).SelectMany(n => Trailer((i * 100) + n))]);
            await stream.WriteAsync(more);
            sent += more.Length;
        }

        WasSwallowed = true;
    }

    private static Task Random(NetworkStream stream)
    {
        byte[] bytes = new byte[64 * 1024];
        new Random(7).NextBytes(bytes);
        return SendAsync(stream, bytes);
    }

    private static Task SendAsync(NetworkStream stream, byte[] bytes) => stream.WriteAsync(bytes).AsTask();

    /// <summary>Settings, and the headers of a stream that begins well.</summary>
    private static byte[] Opening() => [.. Frame(Settings, 0, 0, []), .. Frame(Headers, EndHeaders, 1, [0x88, .. ContentType("application/grpc")])];

    /// <summary>RFC 9113, 4.1.</summary>
    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
        => [(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, 0, 0, (byte)(stream >> 8), (byte)stream, .. payload];

    /// <summary>RFC 7541, 6.2.2: a literal not indexed, its name the 31st of the static table.</summary>
    private static byte[] ContentType(string value) => [0x0f, 0x10, (byte)value.Length, .. Encoding.ASCII.GetBytes(value)];

    private static byte[] Trailer(int number)
    {
        byte[] name = Encoding.ASCII.GetBytes($"x-{number}"), value = Encoding.ASCII.GetBytes(new string('v', 100));
        return [0, (byte)name.Length, .. name, (byte)value.Length, .. value];
    }
}
