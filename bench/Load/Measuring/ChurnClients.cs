using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace MeshL4.Load.Measuring;

/// <summary>
/// A closed loop of short connections from several threads: connect, one PING, read the answer, close. Sources are spread over
/// 127.0.20.x, so that the client's ports do not run out.
/// </summary>
/// <param name="targets">Where they connect, in turn.</param>
/// <param name="sources">Where they come from; null for addresses on loopback.</param>
/// <param name="begin">Run by each thread before it connects; null for nothing.</param>
internal sealed class ChurnClients(IReadOnlyList<IPEndPoint> targets, IReadOnlyList<IPAddress>? sources = null, Action? begin = null)
{
    private const int Threads = 8;
    private readonly IReadOnlyList<IPAddress> _sources = sources ?? Loopback.Spread(net: 20, count: 16);
    private readonly Stopwatch _clock = new();
    private long _done;
    private volatile Exception? _failure;

    /// <summary>Runs for the given time and returns the number of whole conversations and the seconds they took.</summary>
    /// <exception cref="VoidRunException">A single one failed.</exception>
    public (long Connections, double Seconds) Run(double seconds, CancellationToken stop)
    {
        _clock.Restart();
        var threads = Enumerable.Range(0, Threads).Select(number => new Thread(() => Loop(number, seconds, stop))).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        stop.ThrowIfCancellationRequested();
        return _failure is null ? (_done, _clock.Elapsed.TotalSeconds) : throw Explain(_failure);
    }

    private void Loop(int number, double seconds, CancellationToken stop)
    {
        var done = 0L;
        try
        {
            begin?.Invoke();
            while (_failure is null && !stop.IsCancellationRequested && _clock.Elapsed.TotalSeconds < seconds)
            {
                // Coprime strides walk every pair of source and target.
                using var socket = PingClient.Create(_sources[(int)((number + done) % _sources.Count)]);
                socket.Connect(targets[(int)(((number * 7) + (done * 5) + (done / _sources.Count)) % targets.Count)]);
                PingClient.Ask(socket);
                done++;
            }
        }
        catch (Exception e) when (e is SocketException or VoidRunException)
        {
            _failure = e;
        }

        Interlocked.Add(ref _done, done);
    }

    private static VoidRunException Explain(Exception failure) => failure switch
    {
        VoidRunException known => known,
        SocketException { SocketErrorCode: SocketError.AddressNotAvailable } => new VoidRunException(
            "EADDRNOTAVAIL: the local ports ran out, so the figures would be the kernel's and not the subject's"),
        SocketException e => new VoidRunException($"a connection failed: {e.SocketErrorCode}"),
        _ => new VoidRunException(failure.Message),
    };
}
