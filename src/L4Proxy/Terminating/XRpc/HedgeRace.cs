using System.Runtime.InteropServices;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// One request that may go to several servers: the first that begins to answer is heard. Every try has a state of its own, which takes
/// part as long as an answer may come for it; with the last one the race goes back to its pool.
/// </summary>
internal sealed class HedgeRace<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private readonly List<RequestState<TCodec>> _entrants = [];
    private readonly List<EndpointSnapshot> _tried = [];
    private readonly LoopTimer _timer;
    private RequestStatePool<TCodec>? _pool;

    public HedgeRace() => _timer = new LoopTimer(static race => ((HedgeRace<TCodec>)race!).Due(), this);

    /// <summary>The request as it was noted with its first try.</summary>
    public Pending<TCodec> Request { get; private set; }

    /// <summary>Cluster of all tries.</summary>
    public string Cluster { get; private set; } = "";

    /// <summary>Copies that may still be sent.</summary>
    public int CopiesLeft { get; set; }

    /// <summary>The try that is heard; null before any answer.</summary>
    public RequestState<TCodec>? Winner { get; private set; }

    /// <summary>Tries that may still answer.</summary>
    public int Count => _entrants.Count;

    /// <summary>A try whose bytes can be sent again.</summary>
    public RequestState<TCodec> Any => _entrants[0];

    /// <summary>Servers that have it.</summary>
    public ReadOnlySpan<EndpointSnapshot> Tried => CollectionsMarshal.AsSpan(_tried);

    private EventLoop Loop => Request.Session!.Loop;

    /// <summary>Begins with the first try.</summary>
    public void Begin(RequestStatePool<TCodec> pool, in Pending<TCodec> request, UpstreamLink<TCodec> link, ulong id, int copies, TimeSpan delay)
    {
        (_pool, Request, Cluster, CopiesLeft) = (pool, request, link.Cluster.Name, copies);
        Enter(request.State!, link, id);
        Loop.Timers.Arm(_timer, delay);
    }

    /// <summary>Another try.</summary>
    public void Enter(RequestState<TCodec> state, UpstreamLink<TCodec> link, ulong id)
    {
        (state.Race, state.SentOn, state.SentAs) = (this, link, id);
        _entrants.Add(state);
        _tried.Add(link.Endpoint);
    }

    /// <summary>Waits once more before another copy.</summary>
    public void Again(TimeSpan delay) => Loop.Timers.Arm(_timer, delay);

    /// <summary>A try begins to answer. False when another was faster.</summary>
    public bool TryWin(RequestState<TCodec> state)
    {
        if (Winner is not null)
        {
            return Winner == state;
        }

        Winner = state;
        Loop.Timers.Cancel(_timer);
        for (int i = _entrants.Count - 1; i >= 0; i--)
        {
            RequestState<TCodec> other = _entrants[i];
            if (other != state && other.SentOn!.TryForget(other.SentAs))
            {
                _pool!.Return(other);
            }
        }

        return true;
    }

    /// <summary>A try takes part no longer.</summary>
    public void Leave(RequestState<TCodec> state)
    {
        _entrants.Remove(state);
        state.Race = null;
        if (_entrants.Count == 0)
        {
            Loop.Timers.Cancel(_timer);
            _tried.Clear();
            (Request, Winner) = (default, null);
            _pool!.Return(this);
        }
    }

    private void Due()
    {
        if (Request.Session is { IsClosed: false } session && Winner is null && CopiesLeft > 0)
        {
            session.Hedge(this);
        }
    }
}
