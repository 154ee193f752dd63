using Google.Protobuf.WellKnownTypes;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>One resource of a response, not decoded.</summary>
/// <param name="Name">As the envelope says; empty when there is none, as in most state-of-the-world responses.</param>
/// <param name="Version">Its own version (delta); empty otherwise.</param>
/// <param name="TimeToLive">How long it is valid unless the server says so again; null for ever.</param>
/// <param name="Body">Null for a heartbeat, which only renews the time to live, and for what cannot be read.</param>
internal sealed record DiscoveredResource(string Name, string Version, TimeSpan? TimeToLive, Any? Body)
{
    /// <summary>Why it cannot be read, with its bytes; null when it can.</summary>
    public UnreadableResource? Unreadable { get; init; }

    /// <summary>A server's word that it has no such resource: a name, no resource and no time to live. For one that runs it is a heartbeat that ends the time to live.</summary>
    public bool TellsAbsence { get; init; }

    /// <summary>Whether it only renews the time to live.</summary>
    public bool IsHeartbeat => Body is null && Unreadable is null;
}

/// <summary>What stands in a response where a resource should, and is none.</summary>
/// <param name="Reason">For the refusal.</param>
/// <param name="Bytes">As received.</param>
internal sealed record UnreadableResource(string Reason, ReadOnlyMemory<byte> Bytes);

/// <summary>A response of either variant of the protocol in one shape.</summary>
internal sealed record DiscoveryUpdate
{
    public required string TypeUrl { get; init; }

    public required string Nonce { get; init; }

    /// <summary><c>version_info</c> or <c>system_version_info</c>.</summary>
    public required string Version { get; init; }

    /// <summary>Who the server says it is; may be empty.</summary>
    public string ControlPlane { get; init; } = "";

    public IReadOnlyList<DiscoveredResource> Resources { get; init; } = [];

    /// <summary>Names removed (delta).</summary>
    public IReadOnlyList<string> Removed { get; init; } = [];

    /// <summary>Resources the server cannot give or does not have, with its reasons.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Unavailable { get; init; } = [];

    /// <summary>True when what the response does not name is gone, for the types that are subscribed as a whole.</summary>
    public bool Complete { get; init; }

    /// <summary>True when later responses change single resources by their names.</summary>
    public bool Delta { get; init; }
}
