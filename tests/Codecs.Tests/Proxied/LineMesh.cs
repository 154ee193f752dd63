using System.Net;
using System.Net.Sockets;
using MeshL4.TestKit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A server of lines that the test itself is, the proxy with <see cref="LineCodec"/> before it, and clients.</summary>
internal sealed class LineMesh : IAsyncDisposable
{
    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly List<LineEnd> _ends = [];
    private ProxyProcess? _proxy;
    private int _port;

    public ProxyProcess Proxy => _proxy!;

    /// <param name="policies">Members of the policies.</param>
    public static async Task<LineMesh> StartAsync(string policies = "")
    {
        var mesh = new LineMesh();
        try
        {
            mesh._server.Start();
            var bootstrap = new Bootstrap { Program = Path.Combine(AppContext.BaseDirectory, "MeshL4.Codecs.Tests.dll"), Concurrency = 1 };
            bootstrap.Cluster("main", mesh._server.LocalEndpoint);
            mesh._port = bootstrap.Listener("in", Bootstrap.XRpcProxy("lines", "{forward: {cluster: main}}", $", policies: {{{policies}}}"));
            mesh._proxy = await ProxyProcess.StartAsync(bootstrap, "dotnet");
            return mesh;
        }
        catch
        {
            await mesh.DisposeAsync();
            throw;
        }
    }

    /// <summary>A client of the proxy.</summary>
    public async Task<LineEnd> ConnectAsync()
    {
        var client = new TcpClient(AddressFamily.InterNetwork) { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, _port);
        return Own(client);
    }

    /// <summary>The next connection of the proxy.</summary>
    public async Task<LineEnd> AcceptAsync()
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        return Own(await _server.AcceptTcpClientAsync(limit.Token));
    }

    /// <summary>Whether the proxy has opened a connection that was not accepted yet.</summary>
    public bool HasAnother => _server.Pending();

    public async ValueTask DisposeAsync()
    {
        _ends.ForEach(static end => end.Dispose());
        _server.Dispose();
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }
    }

    private LineEnd Own(TcpClient connection)
    {
        var end = new LineEnd(connection);
        _ends.Add(end);
        return end;
    }
}

/// <summary>One end of a connection, line by line.</summary>
internal sealed class LineEnd(TcpClient connection) : IDisposable
{
    private readonly StreamReader _reader = new(connection.GetStream(), leaveOpen: true);

    public EndPoint Local => connection.Client.LocalEndPoint!;

    /// <summary>Whether bytes have come that were not read.</summary>
    public bool HasMore => connection.Available > 0;

    public Task SendAsync(string text) => connection.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(text)).AsTask();

    /// <summary>The next line; null at the end, in whatever way it came.</summary>
    public async Task<string?> ReadAsync()
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        try
        {
            return await _reader.ReadLineAsync(limit.Token);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Leaves with a reset.</summary>
    public void Reset()
    {
        connection.LingerState = new LingerOption(true, 0);
        connection.Dispose();
    }

    public void Dispose() => connection.Dispose();
}
