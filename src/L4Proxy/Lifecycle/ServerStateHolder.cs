using MeshL4.L4Proxy.Admin;

namespace MeshL4.L4Proxy.Lifecycle;

/// <summary>The state of the process as /ready tells it.</summary>
internal sealed class ServerStateHolder
{
    private int _state = (int)ServerState.Initializing;

    public ServerState Current
    {
        get => (ServerState)Volatile.Read(ref _state);
        set => Volatile.Write(ref _state, (int)value);
    }
}

/// <summary>Why the process ends. <paramref name="Drain"/> false skips waiting for connections.</summary>
internal readonly record struct ExitRequest(bool Drain);
