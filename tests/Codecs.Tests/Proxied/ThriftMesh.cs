using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.TestKit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A message of framed Thrift as a peer understands it; 1 is a call, 2 a reply, 3 an exception.</summary>
internal sealed record ThriftMessage(byte Type, string Name, int Sequence, string Arguments = "");

/// <summary>
/// Two Thrift servers that the test itself is, the proxy with a codec of theirs before them, and clients. Servers answer what is called, but for methods with
/// <c>Never</c> or <c>Close</c> in the name, and for <c>Overtaken</c>: the server that is asked second makes the first close its connection.
/// </summary>
internal sealed class ThriftMesh : IAsyncDisposable
{
    private readonly TcpListener[] _servers = [new(IPAddress.Loopback, 0), new(IPAddress.Loopback, 0)];
    private readonly ConcurrentBag<ThriftEnd> _ends = [];
    private ThriftEnd? _overtaken;
    private int _port;

    public ProxyProcess Proxy { get; private set; } = null!;

    /// <summary>Names of the methods that the second server was asked for.</summary>
    public ConcurrentQueue<string> AskedOther { get; } = new();

    /// <param name="codec">A name of the tests' own program.</param>
    /// <param name="routes">To <c>main</c>, <c>other</c>, <c>both</c> or <c>nobody</c>.</param>
    /// <param name="more">Further members of the filter.</param>
    public static async Task<ThriftMesh> StartAsync(string codec, string routes = "{forward: {cluster: main}}", string more = "")
    {
        var mesh = new ThriftMesh();
        try
        {
            var bootstrap = new Bootstrap { Program = Path.Combine(AppContext.BaseDirectory, "MeshL4.Codecs.Tests.dll"), Concurrency = 1 };
            foreach (TcpListener server in mesh._servers)
            {
                server.Start();
                _ = mesh.AcceptAsync(server);
            }

            IPEndPoint[] at = [.. mesh._servers.Select(static server => (IPEndPoint)server.LocalEndpoint)];
            bootstrap.Cluster("main", at[0]);
            bootstrap.Cluster("other", at[1]);
            bootstrap.Cluster("both", at);
            bootstrap.Cluster("nobody", Peer.Refusing());
            mesh._port = bootstrap.Listener("in", Bootstrap.XRpcProxy(codec, routes, more));
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
    public async Task<ThriftEnd> ConnectAsync()
    {
        var client = new TcpClient(AddressFamily.InterNetwork) { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, _port);
        return Own(client);
    }

    public async ValueTask DisposeAsync()
    {
        Array.ForEach(_servers, static server => server.Dispose());
        foreach (ThriftEnd end in _ends)
        {
            end.Dispose();
        }

        if (Proxy is not null)
        {
            await Proxy.DisposeAsync();
        }
    }

    private async Task AcceptAsync(TcpListener server)
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(Own(await server.AcceptTcpClientAsync()), isOther: server == _servers[1]);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(ThriftEnd connection, bool isOther)
    {
        try
        {
            while (true)
            {
                ThriftMessage call = await connection.ReadAsync(CancellationToken.None);
                if (isOther)
                {
                    AskedOther.Enqueue(call.Name);
                }

                if (call.Name.Contains("Close", StringComparison.Ordinal))
                {
                    connection.Dispose();
                }
                else if (call.Name.Contains("Overtaken", StringComparison.Ordinal))
                {
                    Interlocked.CompareExchange(ref _overtaken, connection, null);
                    (_overtaken == connection ? null : _overtaken)?.Dispose();
                }
                else if (!call.Name.Contains("Never", StringComparison.Ordinal))
                {
                    await connection.SendAsync(call with { Type = 2 });
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The proxy has left.
        }
    }

    private ThriftEnd Own(TcpClient connection)
    {
        var end = new ThriftEnd(connection);
        _ends.Add(end);
        return end;
    }
}

/// <summary>One end of a connection. Reads messages in a way of its own, so that a mistake of the codec is not repeated here.</summary>
internal sealed class ThriftEnd(TcpClient connection) : IDisposable
{
    public Task SendAsync(params ThriftMessage[] messages) => connection.GetStream().WriteAsync(messages.SelectMany(Bytes).ToArray()).AsTask();

    public async Task<ThriftMessage> ReadAsync()
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        return await ReadAsync(limit.Token);
    }

    public async Task<ThriftMessage> ReadAsync(CancellationToken cancel)
    {
        byte[] length = new byte[4];
        await connection.GetStream().ReadExactlyAsync(length, cancel);
        byte[] frame = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
        await connection.GetStream().ReadExactlyAsync(frame, cancel);
        int name = BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(4));
        return new ThriftMessage(
            frame[3], Encoding.ASCII.GetString(frame, 8, name), BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(8 + name)), Encoding.ASCII.GetString(frame.AsSpan(12 + name)));
    }

    public async Task<ThriftMessage> CallAsync(string name, int sequence, string arguments = "")
    {
        await SendAsync(new ThriftMessage(1, name, sequence, arguments));
        return await ReadAsync();
    }

    public void Dispose() => connection.Dispose();

    internal static byte[] Bytes(ThriftMessage message)
    {
        byte[] head = new byte[12];
        BinaryPrimitives.WriteInt32BigEndian(head, 12 + message.Name.Length + message.Arguments.Length);
        (head[4], head[5], head[7]) = (0x80, 1, message.Type);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(8), message.Name.Length);
        byte[] sequence = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(sequence, message.Sequence);
        return [.. head, .. Encoding.ASCII.GetBytes(message.Name), .. sequence, .. Encoding.ASCII.GetBytes(message.Arguments)];
    }
}
