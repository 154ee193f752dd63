using System.Net;

namespace MeshL4.L4Proxy.Clusters;

/// <summary>
/// The endpoints' states of one cluster by address. A list for few, for there may be thousands of clusters of a handful of endpoints,
/// and a dictionary beside it for many. Safe from any thread.
/// </summary>
internal sealed class EndpointStates
{
    private const int Few = 16;

    private readonly Lock _access = new();
    private readonly List<EndpointState> _states = [];
    private Dictionary<EndPoint, EndpointState>? _byAddress;

    public EndpointState[] All
    {
        get
        {
            lock (_access)
            {
                return [.. _states];
            }
        }
    }

    /// <summary>The state of an address, made when it is new.</summary>
    public EndpointState Get(EndPoint address)
    {
        lock (_access)
        {
            if (Find(address) is { } known)
            {
                return known;
            }

            var created = new EndpointState(address);
            _states.Add(created);
            if (_byAddress is not null || _states.Count > Few)
            {
                (_byAddress ??= _states.Where(state => state != created).ToDictionary(static state => state.Address))[address] = created;
            }

            return created;
        }
    }

    /// <summary>
    /// Forgets those that are not in <paramref name="present"/> and that no connection uses; true when only those present are left. Nobody asks
    /// the absent for signs of life: should they come back, no verdict of before awaits them.
    /// </summary>
    public bool Retain(IReadOnlySet<EndpointState> present)
    {
        lock (_access)
        {
            foreach (EndpointState absent in _states.Where(state => state.FailsChecks && !present.Contains(state)))
            {
                absent.TellHealth(alive: true);
            }

            if (_states.RemoveAll(state => !present.Contains(state) && state.Active == 0) > 0 || _states.Capacity > _states.Count)
            {
                _states.TrimExcess();
                _byAddress = _states.Count > Few ? _states.ToDictionary(static state => state.Address) : null;
            }

            return _states.Count == present.Count;
        }
    }

    private EndpointState? Find(EndPoint address)
        => _byAddress is not null ? _byAddress.GetValueOrDefault(address) : _states.Find(state => state.Address.Equals(address));
}
