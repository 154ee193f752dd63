namespace MeshL4.L4Proxy.Sockets;

/// <summary>A one-shot timer. Reusable; arm and cancel it on its loop only.</summary>
internal sealed class LoopTimer(Action<object?> callback, object? state)
{
    internal LoopTimer? Next;
    internal LoopTimer? Previous;
    internal long DueTick;
    internal int Bucket = -1;

    internal Action<object?> Callback { get; } = callback;

    internal object? State { get; } = state;

    public bool IsArmed => Bucket >= 0;
}
