using MeshL4.L4Proxy.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshL4.TestKit;

/// <summary>A running event loop, and ways onto it that give the test's thread back.</summary>
internal sealed class LoopFixture : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public LoopFixture() => Loop.Start();

    public EventLoop Loop { get; } = new(0, NullLogger.Instance);

    /// <summary>Blocks held and pipes lent: zero when nothing is in flight.</summary>
    public Task<long> HeldAsync() => OnAsync(() => Loop.Memory.Rented + Loop.Pipes.Lent);

    public Task<T> OnAsync<T>(Func<T> work) => Loop.InvokeAsync(work).WaitAsync(Patience);

    public Task OnAsync(Action work) => OnAsync(() =>
    {
        work();
        return 0;
    });

    /// <summary>Starts <paramref name="work"/> on the loop; its continuations run there, the caller's do not.</summary>
    public Task<T> RunAsync<T>(Func<Task<T>> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Loop.Post(_ => _ = CompleteAsync(done, work), null);
        return done.Task.WaitAsync(Patience);
    }

    /// <summary>Asks on the loop, again and again, until <paramref name="holds"/> says yes.</summary>
    /// <exception cref="TimeoutException">It never did.</exception>
    public async Task UntilAsync(Func<bool> holds, string what)
    {
        long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (!await OnAsync(holds))
        {
            if (Environment.TickCount64 > end)
            {
                throw new TimeoutException($"never came true: {what}");
            }

            await Task.Delay(2);
        }
    }

    public void Dispose() => Loop.Dispose();

    private static async Task CompleteAsync<T>(TaskCompletionSource<T> done, Func<Task<T>> work)
    {
        try
        {
            done.SetResult(await work());
        }
#pragma warning disable CA1031 // handed to the test
        catch (Exception error)
#pragma warning restore CA1031
        {
            done.SetException(error);
        }
    }
}
