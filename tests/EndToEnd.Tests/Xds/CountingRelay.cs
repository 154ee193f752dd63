using System.Net;
using System.Net.Sockets;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Stands between the proxy and a server and counts what the server sends.</summary>
internal sealed class CountingRelay : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _server;
    private long _fromServer;

    public CountingRelay(int server)
    {
        _server = server;
        _listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Bytes the server sent, frames and all.</summary>
    public long FromServer => Interlocked.Read(ref _fromServer);

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync();
                var server = new TcpClient();
                await server.ConnectAsync(IPAddress.Loopback, _server);
                _ = CopyAsync(client, server, static (_, _) => { });
                _ = CopyAsync(server, client, static (relay, count) => Interlocked.Add(ref relay._fromServer, count));
            }
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task CopyAsync(TcpClient from, TcpClient to, Action<CountingRelay, int> count)
    {
        byte[] piece = new byte[64 << 10];
        try
        {
            int read;
            while ((read = await from.GetStream().ReadAsync(piece)) > 0)
            {
                count(this, read);
                await to.GetStream().WriteAsync(piece.AsMemory(0, read));
            }
        }
        catch (Exception over) when (over is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // One side is gone.
        }

        to.Dispose();
    }
}
