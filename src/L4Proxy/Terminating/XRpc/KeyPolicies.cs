using System.Runtime.InteropServices;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Filtering;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// What the routes of one request's keys want asked, in the order of the keys: each rate limit, each list of faults and each list of mirrors once, however
/// many routes have it of their proxy. Made once a loop and used again; for a request of one route nothing is looked up.
/// </summary>
internal sealed class KeyPolicies
{
    private readonly HashSet<object> _seen = new(ReferenceEqualityComparer.Instance);
    private readonly List<TokenBucket> _limits = [];
    private readonly List<XRpcPoliciesSnapshot> _faults = [];
    private readonly List<XRpcRouteSnapshot> _mirrored = [];
    private XRpcRouteSnapshot? _first;

    /// <summary>Whether the keys belong to more than one route; else that one's policies are all there are.</summary>
    public bool AreOfSeveralRoutes { get; private set; }

    /// <summary>Whether some keys have other mirrors than others.</summary>
    public bool AreMirroredApart { get; private set; }

    /// <summary>Of the lists of faults, one route's policies for each.</summary>
    public IReadOnlyList<XRpcPoliciesSnapshot> Faults => _faults;

    /// <summary>Of the lists of mirrors, one route for each.</summary>
    public IReadOnlyList<XRpcRouteSnapshot> Mirrored => _mirrored;

    /// <summary>A key's route.</summary>
    public void Add(XRpcRouteSnapshot route)
    {
        if (ReferenceEquals(route, _first))
        {
            return;
        }

        if (_first is null)
        {
            _first = route;
            return;
        }

        if (!AreOfSeveralRoutes)
        {
            AreOfSeveralRoutes = true;
            AddPolicies(_first);
        }

        AddPolicies(route);
    }

    /// <summary>Takes a token of every rate limit; where one has none left, of none.</summary>
    public bool TryTakeAll()
    {
        for (int i = 0; i < _limits.Count; i++)
        {
            if (!_limits[i].TryTake())
            {
                while (--i >= 0)
                {
                    _limits[i].GiveBack();
                }

                return false;
            }
        }

        return true;
    }

    /// <summary>For the next request.</summary>
    public void Clear()
    {
        _first = null;
        if (AreOfSeveralRoutes)
        {
            (AreOfSeveralRoutes, AreMirroredApart) = (false, false);
            _seen.Clear();
            _limits.Clear();
            _faults.Clear();
            _mirrored.Clear();
        }
    }

    private void AddPolicies(XRpcRouteSnapshot route)
    {
        if (!_seen.Add(route))
        {
            return;
        }

        XRpcPoliciesSnapshot policies = route.Policies;
        AreMirroredApart |= policies.Mirrors != _first!.Policies.Mirrors;
        if (policies.RateLimit is { } limit && _seen.Add(limit))
        {
            _limits.Add(limit);
        }

        if (!policies.Faults.IsEmpty && _seen.Add(ImmutableCollectionsMarshal.AsArray(policies.Faults)!))
        {
            _faults.Add(policies);
        }

        if (!policies.Mirrors.IsEmpty && _seen.Add(ImmutableCollectionsMarshal.AsArray(policies.Mirrors)!))
        {
            _mirrored.Add(route);
        }
    }
}
