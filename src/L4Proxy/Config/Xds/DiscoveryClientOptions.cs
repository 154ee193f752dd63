using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>What a stream is and whom it talks to.</summary>
internal sealed record DiscoveryClientOptions
{
    /// <summary>For logs: <c>ads</c>, or the type of a stream of its own.</summary>
    public required string Name { get; init; }

    /// <summary>Whose resources come over it: another for every control plane.</summary>
    public required string Source { get; init; }

    /// <summary>Path of the method.</summary>
    public required string Method { get; init; }

    public required IDiscoveryVariant Variant { get; init; }

    /// <summary>At least one; the others are tried when one does not answer.</summary>
    public required IReadOnlyList<DiscoveryServer> Servers { get; init; }

    /// <summary>In the order in which they are to be sent: clusters, endpoints, listeners.</summary>
    public required IReadOnlyList<Subscription> Subscriptions { get; init; }

    public required Node Node { get; init; }

    /// <summary>Whether requests behind a stream's first leave the node out (<c>set_node_on_first_message_only</c>).</summary>
    public bool NodeOnFirstMessageOnly { get; init; }

    public required DiscoveryMetrics Metrics { get; init; }

    /// <summary>How long a server may leave a stream's first request without an answer, in the first round, before the next is asked; infinite for ever.</summary>
    public TimeSpan Silence { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>Measures <see cref="Silence"/>.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Waits between two streams.</summary>
    public Func<TimeSpan, CancellationToken, Task> Delay { get; init; } = static (wait, stop) => Task.Delay(wait, stop);

    /// <summary>Numbers from 0 to below 1.</summary>
    public Func<double> Random { get; init; } = System.Random.Shared.NextDouble;
}
