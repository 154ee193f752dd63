using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Upstream;

/// <summary>Holds a connection whose cluster's endpoints are subscribed to only now.</summary>
internal static class EndpointsWait
{
    /// <summary>The cluster with its endpoints; without, when they did not come in time or the connection was cancelled. On the connection's loop.</summary>
    public static async ValueTask<ClusterSnapshot> ForAsync(Downstream downstream, ClusterSnapshot cluster)
    {
        LazyEndpoints lazy = cluster.OnDemand!;
        Task known = lazy.Use(cluster);
        if (cluster.EndpointsKnown)
        {
            return cluster;
        }

        if (!known.IsCompleted)
        {
            // Completed on this loop alone, which goes on from there.
            var signal = new TaskCompletionSource();
            downstream.OnCancel((_, _) => signal.TrySetResult());
            _ = TellAsync(downstream.Loop, known.WaitAsync(lazy.Hold), signal);
            await signal.Task;
        }

        return lazy.Newest(cluster);
    }

    private static async Task TellAsync(EventLoop loop, Task known, TaskCompletionSource signal)
    {
        // Out of time is no error here: the cluster as it is then tells.
        await known.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        loop.Post(static state => ((TaskCompletionSource)state!).TrySetResult(), signal);
    }
}
