using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Terminating;

namespace MeshL4.L4Proxy.Tests.Terminating;

/// <summary>Accepts connections and runs a <see cref="RedisForward"/> for each, over real sockets; a cluster's name is its port.</summary>
internal sealed class RedisForwardHost : IDisposable, IConnectionReporter
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly RedisProxySnapshot _snapshot;
    private readonly RedisRoutes _routes;
    private SynchronizationContext? _loop;
    private readonly TaskCompletionSource<ConnectionRecord> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RedisForwardHost(RedisProxySnapshot snapshot)
    {
        _snapshot = snapshot;
        _routes = new RedisRoutes(snapshot);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = AcceptAsync();
    }

    public int Port { get; }

    public RedisStats Stats { get; } = new("test");

    /// <summary>The record of the first connection that ended.</summary>
    public Task<ConnectionRecord> FirstRecord => _first.Task.WaitAsync(TimeSpan.FromSeconds(30));

    /// <summary>The newest connection's runtime.</summary>
    public RedisForward? Newest { get; private set; }

    /// <summary>Runs on the thread of the newest connection, where its timers would.</summary>
    public void OnLoop(Action<RedisForward> action) => _loop!.Post(_ => action(Newest!), null);

    public void Report(ConnectionRecord record) => _first.TrySetResult(record);

    public void Dispose() => _listener.Dispose();

    public static IDuplexPipe PipeOf(Socket socket)
    {
        socket.NoDelay = true;
        return new StreamDuplex(PipeReader.Create(new NetworkStream(socket, ownsSocket: true)), PipeWriter.Create(new SendingHalf(socket)));
    }

    private static async ValueTask<IDuplexPipe?> ConnectAsync(string cluster)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, int.Parse(cluster, null));
            return PipeOf(socket);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync();
                _ = SingleThread.Run(() => ServeAsync(socket));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        var record = new ConnectionRecord(this, 1, new ListenerSnapshot { Name = "test", Address = new IPEndPoint(IPAddress.Loopback, 0) });
        _loop = SynchronizationContext.Current;
        Newest = new RedisForward(PipeOf(socket), _snapshot, _routes, ConnectAsync, Stats.AddShard(), record);
        await Newest.RunAsync();
        record.Complete();
    }

    /// <summary>Half-closes when its writer completes.</summary>
    private sealed class SendingHalf(Socket socket) : NetworkStream(socket, ownsSocket: false)
    {
        protected override void Dispose(bool disposing)
        {
            try
            {
                Socket.Shutdown(SocketShutdown.Send);
            }
            catch (SocketException)
            {
                // The peer is gone.
            }

            base.Dispose(disposing);
        }
    }

    private sealed record StreamDuplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
