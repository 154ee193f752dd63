using System.Collections.Immutable;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.L4Proxy.Config.Snapshots.XRpc;

/// <summary>One route: what it takes and what becomes of it.</summary>
internal sealed record XRpcRouteSnapshot
{
    /// <summary>Name in metrics and logs; the route's place where the configuration gives none.</summary>
    public required string Name { get; init; }

    /// <summary>Whether the configuration gives the name: else it changes with the routes before this one.</summary>
    public bool IsNamed { get; init; }

    public required XRpcMatchSnapshot Match { get; init; }

    /// <summary>Where requests go; empty with <see cref="RejectMessage"/> set.</summary>
    public ImmutableArray<WeightedClusterSnapshot> Clusters { get; init; } = [];

    /// <summary>Sum of the weights of <see cref="Clusters"/>.</summary>
    public ulong TotalWeight { get; init; }

    /// <summary>Cluster of requests that only read; null: <see cref="Clusters"/>.</summary>
    public string? ReadCluster { get; init; }

    /// <summary>Whether <see cref="XRpcMatchSnapshot.KeyPrefix"/> is taken off before the request is forwarded.</summary>
    public bool RemoveKeyPrefix { get; init; }

    /// <summary>Metadata whose value chooses the endpoint; null: the key where the protocol has one.</summary>
    public string? HashBy { get; init; }

    /// <summary>Answers with this instead of forwarding; null forwards.</summary>
    public string? RejectMessage { get; init; }

    /// <summary>The route's own, each that it lacks taken from the proxy's.</summary>
    public required XRpcPoliciesSnapshot Policies { get; init; }

    /// <summary>Whether a route of a later table stands in this one's place: it has the name, or where there is none takes the same keys and methods.</summary>
    public bool IsLike(XRpcRouteSnapshot other) => IsNamed || other.IsNamed ? IsNamed == other.IsNamed && Name == other.Name : Match.IsLike(other.Match);
}

/// <summary>Conditions of a route; all that are set hold.</summary>
internal sealed record XRpcMatchSnapshot
{
    /// <summary>Method names, upper case; empty takes all.</summary>
    public ImmutableArray<string> Methods { get; init; } = [];

    public BytesPredicate? Service { get; init; }

    public ImmutableArray<XRpcMetadataMatch> Metadata { get; init; } = [];

    /// <summary>First bytes of the key, UTF-8; empty takes all.</summary>
    public ReadOnlyMemory<byte> KeyPrefix { get; init; }

    /// <summary>Whether another takes the same keys and methods, and asks for as many other things.</summary>
    public bool IsLike(XRpcMatchSnapshot other) => KeyPrefix.Span.SequenceEqual(other.KeyPrefix.Span) && Methods.AsSpan().SequenceEqual(other.Methods.AsSpan())
        && (Service is null) == (other.Service is null) && Metadata.Length == other.Metadata.Length;

    /// <summary>Whether nothing but <see cref="KeyPrefix"/> is asked for.</summary>
    public bool IsKeyPrefixOnly => Methods.IsEmpty && Service is null && Metadata.IsEmpty;
}

/// <summary>A condition on one metadata value. Without <paramref name="Value"/> the key must be there.</summary>
internal sealed record XRpcMetadataMatch(string Name, BytesPredicate? Value, bool Invert);
