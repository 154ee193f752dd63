using System.Collections.Immutable;
using System.Net;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>A host of the mesh and where it is.</summary>
/// <param name="Host">In lower case and without a final dot; a wildcard host begins with <c>*.</c>.</param>
/// <param name="V4">IPv4 addresses in the control plane's order.</param>
/// <param name="V6">IPv6 addresses, likewise.</param>
internal sealed record NameEntry(string Host, ImmutableArray<IPAddress> V4, ImmutableArray<IPAddress> V6)
{
    /// <summary><c>shortname.namespace</c> of a Kubernetes service in lower case; empty for other hosts.</summary>
    public string ServiceName { get; init; } = "";

    /// <summary>Further full names of the same host.</summary>
    public ImmutableArray<string> OtherNames { get; init; } = [];
}

/// <summary>The compiled name table of the control plane. Immutable.</summary>
/// <param name="Entries">One for each host that has an address, ordered by host.</param>
internal sealed record NameTableSnapshot(ImmutableArray<NameEntry> Entries);
