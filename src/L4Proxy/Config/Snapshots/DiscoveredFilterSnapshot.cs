using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>
/// The place of a network or listener filter whose settings are discovered (<c>config_discovery</c>). No connection meets it: before a listener is
/// published, the settings that came take its place, else the default, else the chain refuses.
/// </summary>
/// <param name="Need">Name and source of the settings.</param>
/// <param name="Default">What <c>default_config</c> compiled to; null for none.</param>
internal sealed record DiscoveredFilterSnapshot(ResourceNeed Need, ExtensionSnapshot? Default) : NetworkFilterSnapshot
{
    /// <summary>The default serves until settings come, and nobody waits for them.</summary>
    public bool DefaultServesAtOnce { get; init; }
}

/// <summary>The place of a listener filter whose settings are discovered.</summary>
/// <param name="Filter">What is discovered.</param>
/// <param name="Disabled">Destination ports on which it does not run; null runs always.</param>
internal readonly record struct ListenerFilterPlace(DiscoveredFilterSnapshot Filter, PortSet? Disabled);

/// <summary>What a listener filter switches on, except on some ports.</summary>
internal delegate ListenerFilters ListenerFilterSettings(ListenerFilters filters, PortSet? disabled);

/// <summary>How a chain ends whose last filter is discovered: its settings are those of the last of its filters.</summary>
internal sealed record DiscoveredTerminalSnapshot : TerminalSnapshot
{
    public static readonly DiscoveredTerminalSnapshot Instance = new();
}

/// <summary>A compiled <c>TypedExtensionConfig</c>.</summary>
/// <param name="Type">Full name of the message that its settings are.</param>
/// <param name="Filter">What they compiled to.</param>
/// <param name="Needs">What they name in turn.</param>
internal sealed record ExtensionSnapshot(string Type, NetworkFilter Filter, ImmutableArray<ResourceNeed> Needs)
{
    /// <summary>Set for a listener filter, in place of <see cref="Filter"/>.</summary>
    public ListenerFilterSettings? ListenerFilter { get; init; }

    /// <summary>
    /// Of an RPC proxy: digest of its settings without the routes and policies, which change under open connections. What else changes drains them. Null for
    /// others, whose new settings are for new connections.
    /// </summary>
    public UInt128? Fixed { get; init; }

    /// <summary>Routes of an RPC protocol, which are no filter; else null.</summary>
    public RouteConfig? Routes { get; init; }
}
