using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.L4Proxy.Tests.Terminating;

/// <summary>A server that does what no redis-server does: takes the first bytes, sends a text, and closes or stays silent.</summary>
internal sealed class ScriptedUpstream : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Socket? _socket;

    public ScriptedUpstream(string answer, bool closes = false)
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = ServeAsync(answer, closes);
    }

    public int Port { get; }

    /// <summary>Completes when a command has arrived.</summary>
    public Task Asked => _asked.Task.WaitAsync(TimeSpan.FromSeconds(30));

    public void Dispose()
    {
        _socket?.Dispose();
        _listener.Dispose();
    }

    private async Task ServeAsync(string answer, bool closes)
    {
        _socket = await _listener.AcceptSocketAsync();
        await _socket.ReceiveAsync(new byte[4096]);
        _asked.SetResult();
        await _socket.SendAsync(Encoding.Latin1.GetBytes(answer));
        if (closes)
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
    }
}
