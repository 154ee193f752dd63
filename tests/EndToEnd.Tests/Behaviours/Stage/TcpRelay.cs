using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>
/// Stands before a server and counts what it sends. As a NAT or a firewall does it may forget: then it drops without a word to either side,
/// while new connections pass.
/// </summary>
internal sealed class TcpRelay : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<TcpClient> _open = [];
    private readonly int _server;
    private volatile int _generation;
    private volatile Hold? _hold;
    private int _taken;
    private long _fromServer;

    public TcpRelay(int server)
    {
        _server = server;
        _listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Connections taken so far.</summary>
    public int Taken => Volatile.Read(ref _taken);

    /// <summary>Bytes the server sent, frames and all.</summary>
    public long FromServer => Interlocked.Read(ref _fromServer);

    /// <summary>Runs when a connection was taken, before anything passes on it.</summary>
    public Action OnTaken { get; set; } = static () => { };

    /// <summary>New connections are taken and closed at once, as by a balancer with nobody behind it.</summary>
    public bool Closes { get; set; }

    /// <summary>Passes nothing more on the connections there are.</summary>
    public void Forget() => _generation++;

    /// <summary>Keeps what clients send on the connections there are, as a slow way does; new ones pass.</summary>
    public void Stall() => _hold = new Hold(Taken);

    /// <summary>What was kept goes on.</summary>
    public void GoOn() => _hold?.Released.TrySetResult();

    public void Dispose()
    {
        GoOn();
        _listener.Dispose();
        foreach (TcpClient open in _open)
        {
            open.Dispose();
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync();
                int number = Interlocked.Increment(ref _taken);
                OnTaken();
                if (Closes)
                {
                    client.Dispose();
                    continue;
                }

                var server = new TcpClient();
                await server.ConnectAsync(IPAddress.Loopback, _server);
                _open.Add(client);
                _open.Add(server);
                int generation = _generation;
                _ = CopyAsync(client, server, generation, () => _hold is { } hold && number <= hold.Last ? hold.Released.Task : Task.CompletedTask, static (_, _) => { });
                _ = CopyAsync(server, client, generation, static () => Task.CompletedTask, static (relay, count) => Interlocked.Add(ref relay._fromServer, count));
            }
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task CopyAsync(TcpClient from, TcpClient to, int generation, Func<Task> mayPass, Action<TcpRelay, int> count)
    {
        byte[] piece = new byte[64 << 10];
        try
        {
            int read;
            while ((read = await from.GetStream().ReadAsync(piece)) > 0)
            {
                count(this, read);
                await mayPass();
                if (generation == _generation)
                {
                    await to.GetStream().WriteAsync(piece.AsMemory(0, read));
                }
            }
        }
        catch (Exception over) when (over is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // One side is gone.
        }

        if (generation == _generation)
        {
            to.Dispose();
        }
    }

    /// <summary>Bytes that wait.</summary>
    private sealed record Hold(int Last)
    {
        public TaskCompletionSource Released { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
