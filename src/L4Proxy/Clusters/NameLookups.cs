using System.Net;

namespace MeshL4.L4Proxy.Clusters;

/// <summary>
/// Asks the system for the addresses of names, on a bounded number of threads of its own: the system's question is a blocking call, and
/// names whose servers do not answer take many seconds each. On the pool they would keep control planes, timers and the admin API waiting.
/// Names asked for the first time go before those that are looked up again. Threads end when there is nothing to ask.
/// </summary>
/// <param name="ask">Blocks until the answer is there.</param>
internal sealed class NameLookups(Func<string, IPAddress[]> ask)
{
    /// <summary>Questions under way at once.</summary>
    public const int MostThreads = 16;

    private const int StackBytes = 512 * 1024;

    /// <summary>Names remembered as asked before; when there are more, all are forgotten, and count as new once.</summary>
    private const int MostKnown = 20_000;

    private readonly Lock _access = new();
    private readonly Queue<Lookup> _first = new();
    private readonly Queue<Lookup> _again = new();
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private int _threads;

    /// <summary>The addresses of a name, when its turn has come.</summary>
    /// <param name="host">The name.</param>
    /// <param name="cancellation">Ends the wait; a question under way goes on for nobody.</param>
    public Task<IPAddress[]> AskAsync(string host, CancellationToken cancellation)
    {
        var lookup = new Lookup(host, cancellation);
        lock (_access)
        {
            if (_known.Count >= MostKnown)
            {
                _known.Clear();
            }

            (_known.Add(host) ? _first : _again).Enqueue(lookup);
            if (_threads < MostThreads)
            {
                _threads++;
                new Thread(Work, StackBytes) { IsBackground = true, Name = "names" }.Start();
            }
        }

        return lookup.Task;
    }

    private void Work()
    {
        while (Next() is { } lookup)
        {
            lookup.Run(ask);
        }
    }

    private Lookup? Next()
    {
        lock (_access)
        {
            if (_first.TryDequeue(out Lookup? next) || _again.TryDequeue(out next))
            {
                return next;
            }

            _threads--;
            return null;
        }
    }

    private sealed class Lookup
    {
        private readonly TaskCompletionSource<IPAddress[]> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationTokenRegistration _cancelled;
        private readonly string _host;

        public Lookup(string host, CancellationToken cancellation)
        {
            _host = host;
            _cancelled = cancellation.Register(() => _answer.TrySetCanceled(cancellation));
        }

        public Task<IPAddress[]> Task => _answer.Task;

        public void Run(Func<string, IPAddress[]> ask)
        {
            if (_answer.Task.IsCompleted)
            {
                return;
            }

            try
            {
                _answer.TrySetResult(ask(_host));
            }
#pragma warning disable CA1031 // Whatever it is, it is for who asked; the thread goes on.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                _answer.TrySetException(failure);
            }
            finally
            {
                _cancelled.Dispose();
            }
        }
    }
}
