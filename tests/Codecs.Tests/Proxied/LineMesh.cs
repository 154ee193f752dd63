using System.Net;
using System.Net.Sockets;
using MeshL4.TestKit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Servers of lines that the test itself is, the proxy with <see cref="LineCodec"/>, or another codec of lines, before it, and clients.</summary>
internal sealed class LineMesh : IAsyncDisposable
{
    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly TcpListener _other = new(IPAddress.Loopback, 0);
    private readonly List<LineEnd> _ends = [];
    private ProxyProcess? _proxy;
    private int _port;

    public ProxyProcess Proxy => _proxy!;

    /// <param name="policies">Members of the policies.</param>
    /// <param name="upstream">Members of how connections to servers are kept.</param>
    /// <param name="servers">One, or two that clients are given in turn.</param>
    /// <param name="codec">Another codec of lines.</param>
    public static async Task<LineMesh> StartAsync(string policies = "", string upstream = "", int servers = 1, string codec = "lines")
    {
        var mesh = new LineMesh();
        try
        {
            mesh._server.Start();
            mesh._other.Start();
            var bootstrap = new Bootstrap { Program = Path.Combine(AppContext.BaseDirectory, "MeshL4.Codecs.Tests.dll"), Concurrency = 1, DrainSeconds = 600 };
            bootstrap.Cluster("main", [.. new[] { mesh._server, mesh._other }.Take(servers).Select(static server => (IPEndPoint)server.LocalEndpoint)]);
            bootstrap.Cluster("other", [(IPEndPoint)mesh._other.LocalEndpoint]);
            mesh._port = bootstrap.Listener("in", Bootstrap.XRpcProxy(codec, "{forward: {cluster: main}}", $", policies: {{{policies}}}, upstream: {{{upstream}}}"));
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

    /// <summary>The next connection of the proxy to the first server.</summary>
    public Task<LineEnd> AcceptAsync() => AcceptAsync(_server);

    /// <summary>The next one to the second.</summary>
    public Task<LineEnd> AcceptAtOtherAsync() => AcceptAsync(_other);

    /// <summary>Whether the proxy has opened a connection that was not accepted yet.</summary>
    public bool HasAnother => _server.Pending();

    public async ValueTask DisposeAsync()
    {
        _ends.ForEach(static end => end.Dispose());
        _server.Dispose();
        _other.Dispose();
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }
    }

    private async Task<LineEnd> AcceptAsync(TcpListener server)
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        return Own(await server.AcceptTcpClientAsync(limit.Token));
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
    private byte[] _bytes = new byte[4096];
    private int _start;
    private int _end;

    public EndPoint Local => connection.Client.LocalEndPoint!;

    /// <summary>Whether bytes have come behind the line that was read last.</summary>
    public bool HasMore => _end > _start || connection.Available > 0;

    public Task SendAsync(string text) => connection.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(text)).AsTask();

    /// <summary>The next line; null at the end, in whatever way it came.</summary>
    public async Task<string?> ReadAsync()
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        int seen = 0;
        while (true)
        {
            int line = _bytes.AsSpan(_start + seen, _end - _start - seen).IndexOf((byte)'\n');
            if (line >= 0)
            {
                string text = System.Text.Encoding.ASCII.GetString(_bytes, _start, seen + line);
                _start += seen + line + 1;
                return text;
            }

            seen = _end - _start;
            if (!await FillAsync(limit.Token))
            {
                return null;
            }
        }
    }

    /// <summary>Leaves with a reset.</summary>
    public void Reset()
    {
        connection.LingerState = new LingerOption(true, 0);
        connection.Dispose();
    }

    public void Dispose() => connection.Dispose();

    private async Task<bool> FillAsync(CancellationToken cancel)
    {
        if (_end == _bytes.Length)
        {
            byte[] next = _start > 0 ? _bytes : new byte[_bytes.Length * 2];
            _bytes.AsSpan(_start, _end - _start).CopyTo(next);
            (_bytes, _start, _end) = (next, 0, _end - _start);
        }

        try
        {
            int count = await connection.GetStream().ReadAsync(_bytes.AsMemory(_end), cancel);
            _end += count;
            return count > 0;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
