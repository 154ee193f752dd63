using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using MeshL4.TestKit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A request as a server reads it.</summary>
/// <param name="Key">What is asked for; 3 may be repeated.</param>
/// <param name="Id">Pairs the answer with it.</param>
/// <param name="Body">The rest.</param>
internal sealed record PlacedRequest(short Key, uint Id, string Body);

/// <summary>A request at a server.</summary>
internal sealed record PlacedCall(int Server, PlacedEnd Connection, PlacedRequest Request)
{
    public Task AnswerAsync(string body) => Connection.AnswerAsync(Request.Id, body);
}

/// <summary>Two servers that answer as the test says, the proxy with the codec whose ids have two places before them, and clients.</summary>
internal sealed class TwoPlacesMesh : IAsyncDisposable
{
    private readonly TcpListener[] _servers = [new(IPAddress.Loopback, 0), new(IPAddress.Loopback, 0)];
    private readonly List<PlacedEnd> _ends = [];
    private readonly Channel<PlacedCall> _calls = Channel.CreateUnbounded<PlacedCall>();
    private int _port;

    public ProxyProcess Proxy { get; private set; } = null!;

    /// <param name="route">Members of the one route; to <c>main</c>, <c>other</c> or <c>both</c>.</param>
    public static async Task<TwoPlacesMesh> StartAsync(string route)
    {
        var mesh = new TwoPlacesMesh();
        try
        {
            var bootstrap = new Bootstrap { Program = Path.Combine(AppContext.BaseDirectory, "MeshL4.Codecs.Tests.dll"), Concurrency = 1 };
            for (int server = 0; server < mesh._servers.Length; server++)
            {
                mesh._servers[server].Start();
                _ = mesh.AcceptAsync(server);
            }

            IPEndPoint[] at = [.. mesh._servers.Select(static server => (IPEndPoint)server.LocalEndpoint)];
            bootstrap.Cluster("main", at[0]);
            bootstrap.Cluster("other", at[1]);
            bootstrap.Cluster("both", at);
            mesh._port = bootstrap.Listener("in", Bootstrap.XRpcProxy("two-places", $"{{{route}}}"));
            mesh.Proxy = await ProxyProcess.StartAsync(bootstrap, "dotnet");
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    /// <summary>A client of the proxy.</summary>
    public async Task<PlacedEnd> ConnectAsync()
    {
        var client = new TcpClient(AddressFamily.InterNetwork) { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, _port);
        return Own(client);
    }

    /// <summary>The next request at a server.</summary>
    public async Task<PlacedCall> NextAsync()
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        return await _calls.Reader.ReadAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Array.ForEach(_servers, static server => server.Dispose());
        lock (_ends)
        {
            _ends.ForEach(static end => end.Dispose());
        }

        if (Proxy is not null)
        {
            await Proxy.DisposeAsync();
        }
    }

    private async Task AcceptAsync(int server)
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(server, Own(await _servers[server].AcceptTcpClientAsync()));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(int server, PlacedEnd connection)
    {
        try
        {
            while (true)
            {
                _calls.Writer.TryWrite(new PlacedCall(server, connection, await connection.ReadRequestAsync()));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The proxy has left.
        }
    }

    private PlacedEnd Own(TcpClient connection)
    {
        var end = new PlacedEnd(connection);
        lock (_ends)
        {
            _ends.Add(end);
        }

        return end;
    }
}

/// <summary>One end of a connection.</summary>
internal sealed class PlacedEnd(TcpClient connection) : IDisposable
{
    public Task AskAsync(short key, uint id, string body) => connection.GetStream().WriteAsync(Request(key, id, body)).AsTask();

    public Task AnswerAsync(uint id, string body) => connection.GetStream().WriteAsync(Answer(id, body)).AsTask();

    public async Task<(uint Id, string Body)> ReadAnswerAsync()
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        byte[] frame = await ReadAsync(limit.Token);
        return (BinaryPrimitives.ReadUInt32BigEndian(frame), Encoding.ASCII.GetString(frame.AsSpan(4)));
    }

    public async Task<PlacedRequest> ReadRequestAsync()
    {
        byte[] frame = await ReadAsync(CancellationToken.None);
        return new PlacedRequest(BinaryPrimitives.ReadInt16BigEndian(frame), BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(4)), Encoding.ASCII.GetString(frame.AsSpan(8)));
    }

    public void Dispose() => connection.Dispose();

    internal static byte[] Request(short key, uint id, string body)
    {
        byte[] head = new byte[12];
        BinaryPrimitives.WriteInt32BigEndian(head, 8 + body.Length);
        BinaryPrimitives.WriteInt16BigEndian(head.AsSpan(4), key);
        BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(8), id);
        return [.. head, .. Encoding.ASCII.GetBytes(body)];
    }

    internal static byte[] Answer(uint id, string body)
    {
        byte[] head = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(head, 4 + body.Length);
        BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(4), id);
        return [.. head, .. Encoding.ASCII.GetBytes(body)];
    }

    private async Task<byte[]> ReadAsync(CancellationToken cancel)
    {
        byte[] length = new byte[4];
        await connection.GetStream().ReadExactlyAsync(length, cancel);
        byte[] frame = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
        await connection.GetStream().ReadExactlyAsync(frame, cancel);
        return frame;
    }
}
