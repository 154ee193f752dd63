using Google.Protobuf;
using MeshL4.L4Proxy.Config.Snapshots;
using Cluster = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3.Cluster;
using ClusterLoadAssignment = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3.ClusterLoadAssignment;
using NameTable = MeshL4.L4Proxy.Config.Protos.Istio.Networking.Nds.V1.NameTable;
using Listener = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Listener;

namespace MeshL4.L4Proxy.Config;

/// <summary>Takes updates one after the other: applies, notes in the ledger, warms, and swaps one snapshot.</summary>
/// <param name="builder">Guarded by this sink from now on.</param>
/// <param name="ledger">Notes what runs and what was refused.</param>
/// <param name="store">Takes the snapshots.</param>
/// <param name="warm">Called under the lock before a swap: begins what clusters need (names, endpoints); may deliver more, and never waits.</param>
/// <param name="told">Called with every verdict that has issues.</param>
internal sealed class ResourceSink(
    SnapshotBuilder builder, ConfigLedger ledger, SnapshotStore store, Action warm, Action<ResourceUpdate, UpdateVerdict> told) : IResourceSink
{
    private readonly Lock _delivering = new();
    private int _depth;

    /// <inheritdoc/>
    public UpdateVerdict Deliver(ResourceUpdate update)
    {
        lock (_delivering)
        {
            AppliedUpdate applied = builder.Apply(update);
            ledger.Record(update, applied);
            var verdict = new UpdateVerdict(!update.Issues.HasErrors, update.Issues.Issues, [.. applied.Held.Select(static one => one.Name)]);
            Publish();
            if (update.Issues.Issues.Count > 0)
            {
                told(update, verdict);
            }

            return verdict;
        }
    }

    /// <summary>Compiles and swaps again: addresses of names changed, or <paramref name="change"/> changes what is waited for.</summary>
    public void Refresh(Action<SnapshotBuilder>? change = null)
    {
        lock (_delivering)
        {
            change?.Invoke(builder);
            builder.NamesAnswered();
            Publish();
        }
    }

    /// <summary>Runs <paramref name="deliveries"/> as one: a single swap follows.</summary>
    public void Together(Action deliveries)
    {
        lock (_delivering)
        {
            _depth++;
            try
            {
                deliveries();
            }
            finally
            {
                _depth--;
            }

            Publish();
        }
    }

    /// <summary>The name of a resource of one of the types.</summary>
    internal static string NameOf(IMessage message) => message switch
    {
        Listener listener => SnapshotBuilder.NameOf(listener),
        Cluster cluster => cluster.Name,
        ClusterLoadAssignment assignment => assignment.ClusterName,
        NameTable => TypeUrls.NameTableName,
        _ => "",
    };

    private void Publish()
    {
        if (_depth > 0)
        {
            return;
        }

        _depth++;
        try
        {
            warm();
        }
        finally
        {
            _depth--;
        }

        store.Swap(builder.Build());
        builder.Prune();
    }
}
