using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Listening;

/// <summary>
/// The bound listeners of all loops, kept in step with the snapshot. A listener whose address stays keeps its sockets:
/// only what new connections see changes. A listener that cannot be opened is tried again, ever more seldom. Called by one writer at
/// a time.
/// </summary>
internal sealed class ListenerSet : IDisposable
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(10);

    private readonly ListenerOpening _opening;
    private readonly LoopGuard _guard;
    private readonly ILogger _log;
    private readonly Timer _retry;
    private readonly Dictionary<ListenerKey, BoundSockets> _bound = [];
    private readonly Lock _changing = new();
    private Dictionary<ListenerKey, ListenerSnapshot> _wanted = [];
    private ImmutableArray<ListenerSnapshot> _applied;
    private TimeSpan _retryAfter = FirstRetry;
    private bool _stopped;
    private bool _inboundStopped;

    public ListenerSet(ListenerOpening opening, LoopGuard guard, ILogger log)
    {
        (_opening, _guard, _log) = (opening, guard, log);
        _retry = new Timer(static set => ((ListenerSet)set!).Retry(), this, Timeout.Infinite, Timeout.Infinite);
    }

    /// <summary>What makes a socket the same socket. The name counts only where the kernel chooses the port.</summary>
    private sealed record ListenerKey(string Address, bool IsUdp, bool Transparent, bool Freebind, bool ReusePort, bool IsDualStack, string Name);

    /// <summary>Listeners that could not be opened; empty when all of the snapshot's are open.</summary>
    public IReadOnlyList<ListenerFailure> Failures { get; private set; } = [];

    /// <summary>Raised under the lock after every try to open listeners, with what failed.</summary>
    public event Action<IReadOnlyList<ListenerFailure>>? Tried;

    /// <summary>Called under the lock before listeners are opened that were not open.</summary>
    public Action? Opening { get; init; }

    /// <summary>Name and true address of every open listener.</summary>
    public IReadOnlyList<(string Name, EndPoint Address)> Open
    {
        get
        {
            lock (_changing)
            {
                return [.. _bound.Values.Select(static b => (b.Listener.Name, b.Address))];
            }
        }
    }

    /// <summary>Times accept met a full descriptor table, over all loops.</summary>
    public long DescriptorsExhausted
    {
        get
        {
            lock (_changing)
            {
                return _bound.Values.SelectMany(static b => b.Sockets).OfType<AcceptSocket>().Sum(static s => s.DescriptorsExhausted);
            }
        }
    }

    public void Apply(ProxySnapshot snapshot)
    {
        lock (_changing)
        {
            // Most updates change endpoints alone, and there may be ten thousand listeners. One that could not be opened has its timer.
            if (_stopped || snapshot.Listeners == _applied)
            {
                return;
            }

            _applied = snapshot.Listeners;
            Dictionary<ListenerKey, ListenerSnapshot> wanted = [];
            foreach (ListenerSnapshot listener in snapshot.Listeners.Where(IsToBeOpen))
            {
                wanted[KeyOf(listener)] = listener;
            }

            _wanted = wanted;
            _retryAfter = FirstRetry;
            CloseAllBut(wanted);
            if (wanted.Keys.Any(key => !_bound.ContainsKey(key)))
            {
                Opening?.Invoke();
            }

            OpenOrUpdate(wanted);
        }
    }

    public void Dispose() => _retry.Dispose();

    /// <summary>Closes every listening socket, for good; open connections go on.</summary>
    public void Stop(bool inboundOnly = false)
    {
        lock (_changing)
        {
            _stopped |= !inboundOnly;
            _inboundStopped = true;
            _wanted = _wanted.Where(one => !_stopped && IsToBeOpen(one.Value)).ToDictionary();
            foreach ((ListenerKey key, BoundSockets bound) in _bound.ToArray())
            {
                if (!inboundOnly || bound.Listener.Direction == TrafficDirection.Inbound)
                {
                    Close(key, bound);
                }
            }
        }
    }

    /// <summary>A listener that was drained does not come back with the next snapshot.</summary>
    private bool IsToBeOpen(ListenerSnapshot listener) =>
        listener.BindToPort && !(_inboundStopped && listener.Direction == TrafficDirection.Inbound);

    private static ListenerKey KeyOf(ListenerSnapshot listener) => new(
        listener.Address.ToString()!,
        listener.IsUdp,
        listener.Transparent,
        listener.Freebind,
        listener.ReusePort,
        listener.IsDualStack,
        listener.Address is IPEndPoint { Port: 0 } ? listener.Name : "");

    private void CloseAllBut(Dictionary<ListenerKey, ListenerSnapshot> wanted)
    {
        foreach ((ListenerKey key, BoundSockets bound) in _bound.ToArray())
        {
            if (!wanted.ContainsKey(key))
            {
                _log.LogInformation("listener {Name}: closed {Address}", bound.Listener.Name, bound.Address);
                Close(key, bound);
            }
        }
    }

    private void Close(ListenerKey key, BoundSockets bound)
    {
        _bound.Remove(key);
        foreach (ILoopListener socket in bound.Sockets)
        {
            socket.Loop.Post(static s => ((ILoopListener)s!).Close(), socket);
        }
    }

    private void OpenOrUpdate(Dictionary<ListenerKey, ListenerSnapshot> wanted)
    {
        List<ListenerFailure> failures = [];
        foreach ((ListenerKey key, ListenerSnapshot listener) in wanted)
        {
            if (!_bound.TryGetValue(key, out BoundSockets? bound))
            {
                OpenNew(key, listener, failures);
                continue;
            }

            _bound[key] = bound with { Listener = listener };
            foreach (ILoopListener socket in bound.Sockets)
            {
                socket.Loop.Post(_ => socket.Listener = listener, null);
            }
        }

        TellOf(failures);
    }

    private void OpenNew(ListenerKey key, ListenerSnapshot listener, List<ListenerFailure> failures)
    {
        try
        {
            _bound[key] = _opening.Open(listener);
            _log.LogInformation("listener {Name}: open on {Address}", listener.Name, _bound[key].Address);
        }
        catch (IOException error)
        {
            var failure = new ListenerFailure(listener.Name, listener.Resource, error.Message);
            failures.Add(failure);
            if (!Failures.Contains(failure))
            {
                _log.LogError("{Error}", error.Message);
            }
        }
    }

    private void TellOf(IReadOnlyList<ListenerFailure> failures)
    {
        Failures = failures;
        _guard.Listening(_bound.Values.SelectMany(Addresses));
        Tried?.Invoke(failures);
        if (failures.Count > 0)
        {
            _retry.Change(_retryAfter, Timeout.InfiniteTimeSpan);
            _retryAfter = _retryAfter * 2 > LongestRetry ? LongestRetry : _retryAfter * 2;
        }
    }

    /// <summary>On the thread pool: whoever held the address may have let go.</summary>
    private void Retry()
    {
        lock (_changing)
        {
            Dictionary<ListenerKey, ListenerSnapshot> missing = _wanted.Where(one => !_bound.ContainsKey(one.Key)).ToDictionary();
            if (!_stopped && missing.Count > 0)
            {
                OpenOrUpdate(missing);
            }
        }
    }

    private static IEnumerable<(ProtocolType Protocol, IPEndPoint Address)> Addresses(BoundSockets bound)
    {
        if (bound.Address is IPEndPoint address)
        {
            ProtocolType protocol = bound.Listener.IsUdp ? ProtocolType.Udp : ProtocolType.Tcp;
            yield return (protocol, address);
            if (bound.Listener.IsDualStack && address.Address.Equals(IPAddress.IPv6Any))
            {
                yield return (protocol, new IPEndPoint(IPAddress.Any, address.Port));
            }
        }
    }
}
