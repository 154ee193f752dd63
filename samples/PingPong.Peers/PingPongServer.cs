using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace MeshL4.Samples.PingPong.Peers;

/// <summary>
/// A server whose services behave as servers do, well and badly: <c>echo</c>, <c>who</c> (its name, and what it was asked), <c>reverse</c>
/// (holds calls until as many wait as the payload says, then answers the last one first), <c>beat</c> (asks the caller for a sign of life
/// before it answers; <c>longbeat</c> in a long frame), <c>long</c> (a long answer), <c>huge</c> (one of 2 MiB), <c>half</c> (half of a long answer, the rest when told),
/// <c>fail</c>, <c>never</c>, <c>close</c>, <c>partial</c> (ends inside its answer), <c>cut</c> (inside a long one), <c>garbage</c>, <c>away</c>
/// (GoAway before the answer), <c>aside</c> (End of no stream before it, twice). A subscription to any service counts down from its payload, one to <c>bulk</c> with long items, to <c>slow</c> with one in some milliseconds, one to
/// <c>torn</c> with a long item behind the others that ends inside; <c>stuck</c> and <c>bulkstuck</c> say nothing behind their items, <c>broken</c> and
/// <c>bulkbroken</c> end the connection there.
/// </summary>
public sealed partial class PingPongServer : IDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<PingPongConnection, int> _connections = new();
    private readonly List<(PingPongConnection To, PingPongMessage Call)> _held = [];
    private readonly ConcurrentDictionary<(PingPongConnection From, uint Id), PingPongMessage> _beats = new();
    private readonly SemaphoreSlim _released = new(0);
    private readonly ConcurrentQueue<(PingPongConnection From, PingPongMessage Call)> _frozen = new();
    private int _accepted;
    private int _notified;
    private int _pings;
    private int _pongs;

    /// <summary>Begins to serve.</summary>
    /// <param name="address">Where.</param>
    /// <param name="port">0 for any.</param>
    /// <param name="name">What <c>who</c> answers with.</param>
    public PingPongServer(IPAddress address, int port = 0, string name = "server")
    {
        Name = name;
        _listener = new TcpListener(address, port);
        _listener.Start(512);
        _ = AcceptAsync();
    }

    /// <summary>What <c>who</c> answers with.</summary>
    public string Name { get; }

    /// <summary>Where it serves.</summary>
    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndpoint;

    /// <summary>Takes calls, and answers none before <see cref="ThawAsync"/>.</summary>
    public bool IsFrozen { get; set; }

    /// <summary>Reads nothing of connections that come from now on.</summary>
    public bool IsDeaf { get; set; }

    /// <summary>Calls taken and not answered, being frozen.</summary>
    public int Waiting => _frozen.Count;

    /// <summary>Connections taken so far.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>Calls without an answer taken so far.</summary>
    public int Notified => Volatile.Read(ref _notified);

    /// <summary>Pings answered so far.</summary>
    public int Pings => Volatile.Read(ref _pings);

    /// <summary>Pongs taken so far.</summary>
    public int Pongs => Volatile.Read(ref _pongs);

    /// <summary>Ids that calls came with, by connection: no id is in two calls at a time.</summary>
    public int RepeatedIds { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        _released.Dispose();
        foreach (PingPongConnection connection in _connections.Keys)
        {
            connection.Dispose();
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                Socket socket = await _listener.AcceptSocketAsync(_stop.Token);
                socket.NoDelay = true;
                Interlocked.Increment(ref _accepted);
                var connection = new PingPongConnection(socket);
                _connections[connection] = 0;
                if (!IsDeaf)
                {
                    _ = ServeAsync(connection);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end of the listener is how serving ends.
        }
    }

    private async Task ServeAsync(PingPongConnection connection)
    {
        try
        {
            while (await connection.ReadAsync(_stop.Token) is { } message)
            {
                await AnswerAsync(connection, message);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // A peer that ends inside a frame ends its own connection only.
        }

        _connections.TryRemove(connection, out _);
        connection.Dispose();
    }

    private static int Number(PingPongMessage message) => int.Parse(message.Payload, CultureInfo.InvariantCulture);
}
