using System.Net;

namespace MeshL4.L4Proxy.Clusters;

/// <summary>
/// Asks the system for the addresses of names, on a bounded number of threads of its own: the system's question is a blocking call, and
/// names whose servers do not answer take many seconds each. On the pool they would keep control planes, timers and the admin API waiting.
/// Names asked for the first time go before those that are looked up again, and names that failed last take half of the threads at most.
/// Threads end when there is nothing to ask.
/// </summary>
/// <param name="ask">Blocks until the answer is there.</param>
/// <param name="start">Starts a thread; null for one of the system's.</param>
internal sealed class NameLookups(Func<string, IPAddress[]> ask, Action<ThreadStart>? start = null)
{
    /// <summary>Questions under way at once.</summary>
    public const int MostThreads = 16;

    /// <summary>Questions under way at once about names whose last one failed.</summary>
    public const int MostFailing = MostThreads / 2;

    private const int StackBytes = 512 * 1024;

    /// <summary>Names remembered as asked before; when there are more, all are forgotten, and count as new once.</summary>
    private const int MostKnown = 20_000;

    private readonly Lock _access = new();
    private readonly Queue<Lookup> _first = new();
    private readonly Queue<Lookup> _again = new();
    private readonly Queue<Lookup> _failing = new();
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly HashSet<string> _failed = new(StringComparer.Ordinal);
    private int _failingUnderWay;
    private int _threads;

    /// <summary>The addresses of a name, when its turn has come.</summary>
    /// <param name="host">The name.</param>
    /// <param name="cancellation">Ends the wait; a question under way goes on for nobody.</param>
    public Task<IPAddress[]> AskAsync(string host, CancellationToken cancellation)
    {
        Lookup lookup;
        lock (_access)
        {
            if (_known.Count >= MostKnown)
            {
                _known.Clear();
                _failed.Clear();
            }

            lookup = new Lookup(host, _failed.Contains(host), cancellation);
            (_known.Add(host) ? _first : lookup.FailedLast ? _failing : _again).Enqueue(lookup);
            if (_threads < MostThreads)
            {
                StartThread();
            }
        }

        return lookup.Task;
    }

    /// <summary>Where the system has no thread left, those that run go on; where none runs, one of the pool does their work.</summary>
    private void StartThread()
    {
        _threads++;
        try
        {
            (start ?? StartOwn)(Work);
        }
        catch (OutOfMemoryException)
        {
            _threads--;
            if (_threads == 0)
            {
                _threads++;
                ThreadPool.UnsafeQueueUserWorkItem(static self => self.Work(), this, preferLocal: false);
            }
        }
    }

    private static void StartOwn(ThreadStart work) => new Thread(work, StackBytes) { IsBackground = true, Name = "names" }.Start();

    private void Work()
    {
        while (Next() is { } lookup)
        {
            lookup.Run(ask, Ended);
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

            // Those that are left are taken by the threads that have one of them now.
            if (_failingUnderWay < MostFailing && _failing.TryDequeue(out next))
            {
                _failingUnderWay++;
                return next;
            }

            _threads--;
            return null;
        }
    }

    /// <summary>Before who asked hears of it: who asks again at once is known by it.</summary>
    private void Ended(Lookup lookup, bool? failed)
    {
        lock (_access)
        {
            _failingUnderWay -= lookup.FailedLast ? 1 : 0;
            if (failed is true)
            {
                _failed.Add(lookup.Host);
            }
            else if (failed is false)
            {
                _failed.Remove(lookup.Host);
            }
        }
    }

    private sealed class Lookup
    {
        private readonly TaskCompletionSource<IPAddress[]> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationTokenRegistration _cancelled;

        public Lookup(string host, bool failedLast, CancellationToken cancellation)
        {
            (Host, FailedLast) = (host, failedLast);
            _cancelled = cancellation.Register(() => _answer.TrySetCanceled(cancellation));
        }

        public string Host { get; }

        /// <summary>Whether the question before this one had no answer.</summary>
        public bool FailedLast { get; }

        public Task<IPAddress[]> Task => _answer.Task;

        /// <param name="ask">The system's.</param>
        /// <param name="ended">Told whether it failed; null for what is cancelled.</param>
        public void Run(Func<string, IPAddress[]> ask, Action<Lookup, bool?> ended)
        {
            if (_answer.Task.IsCompleted)
            {
                ended(this, null);
                return;
            }

            IPAddress[] answer = [];
            Exception? failure = null;
            try
            {
                answer = ask(Host);
            }
#pragma warning disable CA1031 // Whatever it is, it is for who asked; the thread goes on.
            catch (Exception why)
#pragma warning restore CA1031
            {
                failure = why;
            }

            ended(this, _answer.Task.IsCompleted ? null : failure is not null);
            _ = failure is null ? _answer.TrySetResult(answer) : _answer.TrySetException(failure);
            _cancelled.Dispose();
        }
    }
}
