using System.Collections.Concurrent;

namespace MeshL4.L4Proxy.Tests.Terminating;

/// <summary>Runs an async function on one thread of its own, continuations included, as a loop of the proxy does.</summary>
internal sealed class SingleThread : SynchronizationContext
{
    private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> _queue = [];

    public static Task Run(Func<Task> body)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() => new SingleThread().Pump(body, done)) { IsBackground = true }.Start();
        return done.Task;
    }

    public override void Post(SendOrPostCallback d, object? state)
    {
        if (!_queue.IsAddingCompleted)
        {
            _queue.Add((d, state));
        }
    }

    private void Pump(Func<Task> body, TaskCompletionSource done)
    {
        SetSynchronizationContext(this);
        Task task = body();
        task.ContinueWith(_ => _queue.CompleteAdding(), TaskScheduler.Default);
        foreach ((SendOrPostCallback callback, object? state) in _queue.GetConsumingEnumerable())
        {
            callback(state);
        }

        done.SetFromTask(task);
    }
}
