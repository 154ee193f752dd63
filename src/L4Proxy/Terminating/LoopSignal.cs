using System.Threading.Tasks.Sources;

namespace MeshL4.L4Proxy.Terminating;

/// <summary>
/// Lets one async loop of a connection wait for the other without allocating. Both run on one thread; a wait continues
/// inline in <see cref="Set"/>. One waiter at a time; a signal without a waiter is not remembered: look before waiting.
/// </summary>
internal sealed class LoopSignal : IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _core;
    private bool _waiting;

    public ValueTask WaitAsync()
    {
        _core.Reset();
        _waiting = true;
        return new ValueTask(this, _core.Version);
    }

    public void Set()
    {
        if (_waiting)
        {
            _waiting = false;
            _core.SetResult(true);
        }
    }

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
