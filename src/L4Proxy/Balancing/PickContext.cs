using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>What a pick may depend on besides the cluster.</summary>
internal readonly ref struct PickContext
{
    public PickContext()
    {
    }

    /// <summary>Needed by original_dst clusters; null picks nothing there.</summary>
    public IPEndPoint? OriginalDestination { get; init; }

    /// <summary>Hash of what shall stay together, by <see cref="StableHash"/>; null where nothing does. For RING_HASH and MAGLEV clusters.</summary>
    public ulong? Hash { get; init; }

    /// <summary>Whether the endpoint is picked that everybody picks who asks so; needs a <see cref="Hash"/>, equal for all.</summary>
    public bool IsHome { get; init; }

    /// <summary>Whether endpoints that fail health checks are picked as if they did not.</summary>
    public bool OverlooksChecks { get; init; }

    /// <summary>Endpoints this connection failed to reach already; passed over while others remain.</summary>
    public ReadOnlySpan<EndpointSnapshot> Tried { get; init; }

    /// <summary>Source of chance; tests give a seeded one.</summary>
    public Random Random { get; init; } = Random.Shared;

    /// <summary>Whether the endpoint was tried. By address: a newer snapshot has new objects for the same endpoint.</summary>
    public bool WasTried(EndpointSnapshot endpoint)
    {
        foreach (EndpointSnapshot tried in Tried)
        {
            if (tried.Address.Equals(endpoint.Address))
            {
                return true;
            }
        }

        return false;
    }
}
