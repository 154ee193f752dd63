using System.Diagnostics.CodeAnalysis;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// The streams by their source. Each is run once, and taken down when nothing was wanted of it for a while: a control plane that names
/// another server, or says it otherwise, would leave a connection behind with each change. Its counts stay.
/// </summary>
internal sealed class StreamTable : IDisposable
{
    /// <summary>Time between two looks; who wants nothing at two of them is taken down.</summary>
    public static readonly TimeSpan Look = TimeSpan.FromSeconds(30);

    private readonly Lock _access = new();
    private readonly Dictionary<string, Line> _lines = new(StringComparer.Ordinal);
    private readonly Action<Action> _exclusively;
    private readonly ITimer _timer;
    private bool _started;

    /// <param name="exclusively">Runs what it is given while nobody changes what is wanted.</param>
    /// <param name="time">Measures; null for the system's.</param>
    public StreamTable(Action<Action> exclusively, TimeProvider? time = null)
    {
        _exclusively = exclusively;
        _timer = (time ?? TimeProvider.System).CreateTimer(_ => TakeDownIdle(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        LookLater();
    }

    /// <summary>Counts of the streams that were taken down: a sum over all streams never falls.</summary>
    public DiscoveryMetrics Departed { get; } = new();

    /// <summary>All streams.</summary>
    public IReadOnlyCollection<DiscoveryClient> Values
    {
        get
        {
            lock (_access)
            {
                return [.. _lines.Values.Select(static line => line.Client)];
            }
        }
    }

    /// <summary>Ends when none of <see cref="Values"/> runs, at once where none does.</summary>
    public Task Ended
    {
        get
        {
            lock (_access)
            {
                return Task.WhenAll(_lines.Values.Select(static line => line.Running));
            }
        }
    }

    public bool TryGetValue(string source, [NotNullWhen(true)] out DiscoveryClient? client)
    {
        lock (_access)
        {
            client = _lines.GetValueOrDefault(source)?.Client;
            return client is not null;
        }
    }

    /// <summary>The stream of a source, made when there is none; once started, it runs.</summary>
    /// <param name="source">Whose resources come over it.</param>
    /// <param name="make">Makes it, with what is to be disposed of with it.</param>
    public DiscoveryClient GetOrAdd(string source, Func<(DiscoveryClient Client, IDisposable Receiver)> make)
    {
        lock (_access)
        {
            if (!_lines.TryGetValue(source, out Line? line))
            {
                (DiscoveryClient client, IDisposable receiver) = make();
                _lines[source] = line = new Line(client, receiver);
                if (_started)
                {
                    line.Run();
                }
            }

            return line.Client;
        }
    }

    /// <summary>Runs those that are there, and from now on each that comes.</summary>
    public void Start()
    {
        lock (_access)
        {
            if (!_started)
            {
                _started = true;
                foreach (Line line in _lines.Values)
                {
                    line.Run();
                }
            }
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_access)
        {
            _started = false; // who still asks for a stream gets one that does not run
            foreach (Line line in _lines.Values)
            {
                _ = line.StopAsync();
            }
        }
    }

    private void TakeDownIdle() => _exclusively(() =>
    {
        lock (_access)
        {
            foreach ((string source, Line line) in _lines.ToList())
            {
                line.IdleLooks = line.Client.IsIdle ? line.IdleLooks + 1 : 0;
                if (line.IdleLooks > 1)
                {
                    _lines.Remove(source);
                    Departed.Absorb(line.Client.Metrics);
                    _ = line.StopAsync();
                }
            }
        }

        LookLater();
    });

    private void LookLater() => _timer.Change(Look, Timeout.InfiniteTimeSpan);

    private sealed class Line(DiscoveryClient client, IDisposable receiver)
    {
        private readonly CancellationTokenSource _stop = new();

        public DiscoveryClient Client => client;

        public int IdleLooks { get; set; }

        public Task Running { get; private set; } = Task.CompletedTask;

        public void Run() => Running = Task.Run(() => client.RunAsync(_stop.Token));

        /// <summary>Once. The receiver takes nothing more from now on, whenever the stream has ended.</summary>
        public async Task StopAsync()
        {
            receiver.Dispose();
            await _stop.CancelAsync().ConfigureAwait(false);
            await Running.ConfigureAwait(false);
            _stop.Dispose();
        }
    }
}
