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
            Publish();
            HashSet<string> unbound = TellUnbound(update, applied);
            var verdict = new UpdateVerdict(
                !update.Issues.HasErrors, update.Issues.Issues, [.. applied.Held.Select(static one => one.Name).Where(name => !unbound.Contains(name))]);
            if (update.Issues.Issues.Count > 0)
            {
                told(update, verdict);
            }

            return verdict;
        }
    }

    /// <inheritdoc/>
    public void Exclusively(Action work)
    {
        lock (_delivering)
        {
            work();
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

    /// <summary>Changes what is waited for; compiles and swaps again when <paramref name="change"/> says that it did.</summary>
    public void Change(Func<SnapshotBuilder, bool> change)
    {
        lock (_delivering)
        {
            if (change(builder))
            {
                Publish();
            }
        }
    }

    /// <summary>
    /// Runs <paramref name="deliveries"/> as one: a single swap follows. Their verdicts do not know yet which addresses can be bound; who
    /// answers to a server with them runs <see cref="Exclusively"/>.
    /// </summary>
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
        Protos.Envoy.Config.Route.V3.RouteConfiguration routes => routes.Name,
        Protos.Envoy.Extensions.TransportSockets.Tls.V3.Secret secret => secret.Name,
        Protos.Envoy.Config.Core.V3.TypedExtensionConfig extension => extension.Name,
        _ => "",
    };

    /// <summary>
    /// A listener whose address cannot be bound is refused with the reason, though it is accepted here and opens as soon as it can: its
    /// control plane has to know that it does not serve.
    /// </summary>
    private HashSet<string> TellUnbound(ResourceUpdate update, AppliedUpdate applied)
    {
        var unbound = new HashSet<string>(StringComparer.Ordinal);
        foreach (NamedResource listener in update.TypeUrl == TypeUrls.Listener && _depth == 0 ? applied.Held : [])
        {
            if (ledger.WhyUnbound(listener.Name) is { } reason && unbound.Add(listener.Name))
            {
                string key = $"{TypeUrls.ShortName(update.TypeUrl)}/{listener.Name}";
                update.Issues.Add(new Validating.ConfigIssue(Validating.IssueSeverity.Error, "address", reason, null, key, update.Source));
            }
        }

        return unbound;
    }

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
