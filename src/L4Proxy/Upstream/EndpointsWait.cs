using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Terminating;

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
            var signal = new LoopSignal();
            downstream.OnCancel((_, _) => signal.Set());
            EventLoop loop = downstream.Loop;
            _ = known.WaitAsync(lazy.Hold).ContinueWith(
                ended =>
                {
                    _ = ended.Exception; // out of time: the cluster as it is then tells
                    loop.Post(static state => ((LoopSignal)state!).Set(), signal);
                },
                CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            await signal.WaitAsync();
        }

        return lazy.Newest(cluster);
    }
}
