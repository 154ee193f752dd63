using System.Collections.Concurrent;
using MeshL4.Interceptor.Linux;

namespace MeshL4.L4Proxy.Sockets;

/// <content>Work from other threads.</content>
internal sealed unsafe partial class EventLoop
{
    private readonly int _wakeup;
    private readonly ConcurrentQueue<(Action<object?> Run, object? State)> _posted = new();
    private int _wakeupPending;

    /// <summary>Runs <paramref name="run"/> on this loop soon, in order of posting. Any thread.</summary>
    public void Post(Action<object?> run, object? state)
    {
        _posted.Enqueue((run, state));
        if (Interlocked.Exchange(ref _wakeupPending, 1) == 0)
        {
            ulong one = 1;
            Descriptors.Write(_wakeup, &one, sizeof(ulong));
        }
    }

    /// <summary>Runs <paramref name="function"/> on this loop; the task completes off the loop.</summary>
    public Task<T> InvokeAsync<T>(Func<T> function)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(_ => Complete(done, function), null);
        return done.Task;
    }

    private static void Complete<T>(TaskCompletionSource<T> done, Func<T> function)
    {
        try
        {
            done.SetResult(function());
        }
#pragma warning disable CA1031 // handed to the caller
        catch (Exception error)
#pragma warning restore CA1031
        {
            done.SetException(error);
        }
    }

    private void RunPosted()
    {
        ulong count;
        Descriptors.Read(_wakeup, &count, sizeof(ulong));
        Interlocked.Exchange(ref _wakeupPending, 0);

        // What is posted from here on has its own wake-up: work that posts work must not keep the sockets waiting.
        for (int left = _posted.Count; left > 0 && _posted.TryDequeue(out (Action<object?> Run, object? State) work); left--)
        {
            Guarded(work.Run, work.State);
        }
    }
}
