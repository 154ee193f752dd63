using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace MeshL4.Load.Measuring;

/// <summary>
/// Open connections that each send a PING at fixed times, whether the one before was answered or not, and whose answers are timed from
/// when they were due: a stall of the proxy shows in every request that it delayed.
/// </summary>
internal sealed class OpenLoopPings : IDisposable
{
    private const int Answers = 64;
    private static readonly IPAddress[] Sources = Loopback.Spread(net: 21, count: 16);
    private readonly List<Connection> _connections = [];
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Opens the connections; each is answered once.</summary>
    /// <exception cref="VoidRunException">One could not be opened.</exception>
    public OpenLoopPings(IPEndPoint target, int connections, CancellationToken stop)
    {
        for (var i = 0; i < connections; i++)
        {
            stop.ThrowIfCancellationRequested();
            Socket socket = PingClient.Create(Sources[i % Sources.Length]);
            try
            {
                socket.Connect(target);
                PingClient.Ask(socket);
            }
            catch (SocketException e)
            {
                throw new VoidRunException($"connection {i + 1} failed: {e.SocketErrorCode}");
            }

            _connections.Add(new Connection(socket));
        }

        _connections.ForEach(one => one.Reading = Task.Run(() => one.ReadAsync(_stop.Token)));
    }

    /// <summary>Connections that ended although nobody asked them to.</summary>
    public int Lost => _connections.Count(static one => one.Reading!.IsCompleted);

    /// <summary>Sends at a rate for a while, and returns the latencies in milliseconds, sorted.</summary>
    public async Task<double[]> RunAsync(double perSecond, double seconds, CancellationToken stop)
    {
        _connections.ForEach(static one => one.Latencies.Clear());
        await Task.Factory.StartNew(() => Send(perSecond, seconds, stop), TaskCreationOptions.LongRunning);
        await Task.Delay(TimeSpan.FromSeconds(1), stop);
        var all = new List<double>();
        foreach (Connection one in _connections)
        {
            lock (one.Latencies)
            {
                all.AddRange(one.Latencies);
            }
        }

        all.Sort();
        return [.. all];
    }

    public void Dispose()
    {
        _stop.Cancel();
        _connections.ForEach(static one => one.Socket.Dispose());
        _stop.Dispose();
    }

    private void Send(double perSecond, double seconds, CancellationToken stop)
    {
        long begun = Stopwatch.GetTimestamp();
        var step = Stopwatch.Frequency / perSecond;
        for (long i = 0; i < perSecond * seconds && !stop.IsCancellationRequested; i++)
        {
            var due = begun + (long)(i * step);
            while (due - Stopwatch.GetTimestamp() is var left && left > 0)
            {
                // A blocking sleep of a few hundred microseconds: spinning would take a processor from what is measured.
                Thread.Sleep(left > Stopwatch.Frequency / 500 ? TimeSpan.FromMilliseconds(1) : TimeSpan.FromTicks(1));
            }

            _connections[(int)(i % _connections.Count)].Send(due);
        }
    }

    private sealed class Connection(Socket socket)
    {
        private readonly Queue<long> _due = new();

        public Socket Socket { get; } = socket;

        public List<double> Latencies { get; } = new(Answers);

        public Task? Reading { get; set; }

        public void Send(long due)
        {
            lock (_due)
            {
                _due.Enqueue(due);
            }

            try
            {
                Socket.Send(Loopback.Ping);
            }
            catch (SocketException)
            {
                // The reader meets the end of the connection too, and counts it.
            }
        }

        public async Task ReadAsync(CancellationToken stop)
        {
            var buffer = new byte[Answers * Loopback.PongLength];
            var held = 0;
            try
            {
                while (await Socket.ReceiveAsync(buffer.AsMemory(), stop) is > 0 and var read)
                {
                    held += read;
                    for (; held >= Loopback.PongLength; held -= Loopback.PongLength)
                    {
                        Note(Stopwatch.GetTimestamp());
                    }
                }
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // Lost, or over.
            }
        }

        private void Note(long now)
        {
            long due;
            lock (_due)
            {
                due = _due.Dequeue();
            }

            lock (Latencies)
            {
                Latencies.Add(Stopwatch.GetElapsedTime(due, now).TotalMilliseconds);
            }
        }
    }
}
