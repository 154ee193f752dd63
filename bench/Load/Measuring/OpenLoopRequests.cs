using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Load.Measuring;

/// <summary>
/// Clients that send requests at fixed times, in turn, whether those before were answered or not; answers are timed from when their
/// request was due. One thread that sleeps until something is due or has come: thousands of clients cost as much as few.
/// </summary>
internal sealed unsafe class OpenLoopRequests : IDisposable
{
    private const int Events = 256;
    private const double Patience = 5;
    private static readonly IPAddress[] Sources = Loopback.Spread(net: 22, count: 16);
    private readonly List<Client> _clients = [];
    private readonly byte[] _request;
    private readonly int _answerLength;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly int _epoll = Epoll.Create(Epoll.CloseOnExec);

    /// <summary>Opens the connections; each is answered once.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="clients">How many.</param>
    /// <param name="request">What each sends, every time.</param>
    /// <param name="answerLength">Bytes of the answer.</param>
    /// <param name="stop">Cancelled by Ctrl+C.</param>
    /// <exception cref="VoidRunException">One could not be opened, or was not answered.</exception>
    public OpenLoopRequests(IPEndPoint target, int clients, byte[] request, int answerLength, CancellationToken stop)
    {
        (_request, _answerLength) = (request, answerLength);
        for (var i = 0; i < clients; i++)
        {
            stop.ThrowIfCancellationRequested();
            var socket = PingClient.Create(Sources[i % Sources.Length]);
            _clients.Add(new Client(socket));
            try
            {
                socket.Connect(target);
                socket.Send(request);
                for (var left = answerLength; left > 0;)
                {
                    var read = socket.Receive(_buffer.AsSpan(0, left));
                    left -= read > 0 ? read : throw new SocketException((int)SocketError.ConnectionReset);
                }
            }
            catch (SocketException e)
            {
                throw new VoidRunException($"connection {i + 1} failed: {e.SocketErrorCode}");
            }

            socket.Blocking = false;
            var watched = new EpollEvent { Events = Epoll.In, DataLow = (uint)i };
            _ = Epoll.Control(_epoll, Epoll.ControlAdd, (int)socket.Handle, &watched);
        }
    }

    /// <summary>Connections that ended although nobody asked them to.</summary>
    public int Lost => _clients.Count(static one => one.IsLost);

    /// <summary>Sends at a rate for a while, and returns the latencies in milliseconds, sorted. Those of lost connections are missing.</summary>
    /// <exception cref="VoidRunException">An answer did not come.</exception>
    public Task<double[]> RunAsync(double perSecond, double seconds, CancellationToken stop) =>
        Task.Factory.StartNew(() => Run(perSecond, seconds, stop), stop, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public void Dispose()
    {
        _clients.ForEach(static one => one.Socket.Dispose());
        _ = Descriptors.Close(_epoll);
    }

    private double[] Run(double perSecond, double seconds, CancellationToken stop)
    {
        var total = (long)(perSecond * seconds);
        var latencies = new List<double>((int)total);
        var begun = Stopwatch.GetTimestamp();
        long Due(long number) => begun + (long)(number * Stopwatch.Frequency / perSecond);
        _clients.ForEach(static one => one.Due.Clear());
        for (long sent = 0; sent < total || _clients.Exists(static one => one.Due.Count > 0);)
        {
            stop.ThrowIfCancellationRequested();
            for (var now = Stopwatch.GetTimestamp(); sent < total && Due(sent) <= now; sent++)
            {
                Send(_clients[(int)(sent % _clients.Count)], Due(sent));
            }

            var left = sent < total ? Due(sent) - Stopwatch.GetTimestamp() : Stopwatch.Frequency / 100;
            Receive(Math.Max(0, left), latencies);
            if (Stopwatch.GetElapsedTime(begun).TotalSeconds > seconds + Patience)
            {
                throw new VoidRunException($"{total - latencies.Count} of {total} requests have no answer {Patience} s after the last was due");
            }
        }

        latencies.Sort();
        return [.. latencies];
    }

    private void Send(Client client, long due)
    {
        if (client.IsLost)
        {
            return;
        }

        try
        {
            client.Due.Enqueue(due);
            client.Socket.Send(_request);
        }
        catch (SocketException)
        {
            Lose(client);
        }
    }

    private void Receive(long ticks, List<double> latencies)
    {
        var events = stackalloc EpollEvent[Events];
        var timeout = new TimeSpec { Nanoseconds = (long)(ticks * 1e9 / Stopwatch.Frequency) % 1_000_000_000 };
        var count = Epoll.Wait(_epoll, events, Events, &timeout, null);
        for (var i = 0; i < count; i++)
        {
            var client = _clients[(int)events[i].DataLow];
            if (!TryReceive(client))
            {
                Lose(client);
            }

            for (var now = Stopwatch.GetTimestamp(); client.Held >= _answerLength; client.Held -= _answerLength)
            {
                latencies.Add(Stopwatch.GetElapsedTime(client.Due.Dequeue(), now).TotalMilliseconds);
            }
        }
    }

    private bool TryReceive(Client client)
    {
        try
        {
            var read = client.Socket.Receive(_buffer);
            client.Held += read;
            return read > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private void Lose(Client client)
    {
        client.IsLost = true;
        client.Held = 0;
        client.Due.Clear();
        EpollEvent unused = default;
        _ = Epoll.Control(_epoll, Epoll.ControlDelete, (int)client.Socket.Handle, &unused);
    }

    private sealed class Client(Socket socket)
    {
        public Socket Socket { get; } = socket;

        /// <summary>When the requests in flight were due, oldest first.</summary>
        public Queue<long> Due { get; } = new(16);

        /// <summary>Bytes of answers not counted yet.</summary>
        public int Held { get; set; }

        public bool IsLost { get; set; }
    }
}
