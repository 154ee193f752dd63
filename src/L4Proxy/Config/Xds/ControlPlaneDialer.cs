using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Xds.Grpc;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Opens streams to control planes: looks the static cluster up at each connect, so that its addresses are the newest.</summary>
internal sealed class ControlPlaneDialer(SnapshotStore store)
{
    /// <summary>How <paramref name="server"/> is reached.</summary>
    public DiscoveryServer Server(GrpcServerConfig server)
    {
        var target = new GrpcTarget
        {
            Name = server.Cluster ?? server.Target ?? "",
            Authority = server.Authority,
            Connect = cancellation => ConnectAsync(server, cancellation),
            Metadata = () => server.Metadata,
        };
        return new DiscoveryServer(target.Name, method => new GrpcStream(target, method));
    }

    private async ValueTask<Stream> ConnectAsync(GrpcServerConfig server, CancellationToken cancellation)
    {
        if (!store.Current.Clusters.TryGetValue(server.Cluster!, out ClusterSnapshot? cluster) || cluster.Endpoints.IsEmpty)
        {
            throw new IOException($"cluster '{server.Cluster}' has no endpoint");
        }

        EndpointSnapshot[] endpoints = [.. cluster.Endpoints];
        Random.Shared.Shuffle(endpoints);
        List<string> failures = [];
        foreach (EndpointSnapshot endpoint in endpoints)
        {
            try
            {
                return await ConnectAsync(endpoint.Address, cluster.ConnectTimeout, cancellation).ConfigureAwait(false);
            }
            catch (Exception failure) when (failure is SocketException or TimeoutException)
            {
                failures.Add($"{endpoint.Address}: {failure.Message}");
            }
        }

        throw new IOException(string.Join("; ", failures));
    }

    private static async ValueTask<Stream> ConnectAsync(EndPoint address, TimeSpan limit, CancellationToken cancellation)
    {
        bool unix = address is UnixDomainSocketEndPoint;
        var socket = new Socket(address.AddressFamily, SocketType.Stream, unix ? ProtocolType.Unspecified : ProtocolType.Tcp);
        try
        {
            if (!unix)
            {
                socket.NoDelay = true;
            }

            await socket.ConnectAsync(address, cancellation).AsTask().WaitAsync(limit, cancellation).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
