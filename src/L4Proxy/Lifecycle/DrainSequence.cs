using System.Diagnostics;
using MeshL4.L4Proxy.Admin;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Lifecycle;

/// <summary>Stop accepting, let connections finish until the deadline, then end what is left.</summary>
internal sealed class DrainSequence(
    ListenerSet listeners, IReadOnlyList<LoopWorker> workers, ConnectionGate gate, ServerStateHolder state, ILogger log)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10);

    /// <summary>Time for the last records to be written after connections were cut.</summary>
    private static readonly TimeSpan AfterCut = TimeSpan.FromSeconds(1);

    public async Task RunAsync(TimeSpan deadline)
    {
        state.Current = ServerState.Draining;
        listeners.Stop();

        foreach (LoopWorker worker in workers)
        {
            // Behind the closing of the listeners, which takes in who still waited there.
            worker.Loop.Post(static w => EndIdle((LoopWorker)w!), worker);
        }

        // The sockets close on their loops: a count of zero before that is not the last word.
        await Task.WhenAll(workers.Select(static w => w.Loop.InvokeAsync(static () => true)));
        log.LogInformation("draining: {Active} connections, at most {Seconds} s", gate.Active, (long)deadline.TotalSeconds);
        if (await EmptyAsync(deadline))
        {
            log.LogInformation("drained");
            return;
        }

        log.LogWarning("drain deadline: ending {Active} connections", gate.Active);
        foreach (LoopWorker worker in workers)
        {
            worker.Loop.Post(static w => Cut((LoopWorker)w!), worker);
        }

        await EmptyAsync(AfterCut);
    }

    private static void EndIdle(LoopWorker worker)
    {
        worker.IsDraining = true;
        foreach (Downstream connection in worker.Connections.ToArray())
        {
            connection.Drain();
        }
    }

    private static void Cut(LoopWorker worker)
    {
        foreach (Downstream connection in worker.Connections.ToArray())
        {
            connection.Expire(ResponseFlags.LR, "drain_deadline");
        }
    }

    private async Task<bool> EmptyAsync(TimeSpan deadline)
    {
        long started = Stopwatch.GetTimestamp();
        while (gate.Active > 0)
        {
            if (Stopwatch.GetElapsedTime(started) >= deadline || Signals.Hurry.IsCancellationRequested)
            {
                return false;
            }

            await Task.Delay(Look);
        }

        return true;
    }
}
