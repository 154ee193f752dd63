using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds.Grpc;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Opens streams to control planes: addresses, certificates and tokens are looked up at each connect.</summary>
/// <param name="store">Has the static clusters with their newest addresses.</param>
/// <param name="tokenFile">File with a bearer token for all of them; empty for none.</param>
/// <param name="clusters">The static clusters, with the TLS settings of each.</param>
internal sealed class ControlPlaneDialer(SnapshotStore store, string tokenFile, IEnumerable<Cluster> clusters)
{
    private const string Unix = "unix:";
    private static readonly TimeSpan TargetConnectTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How <paramref name="server"/> is reached.</summary>
    public DiscoveryServer Server(GrpcServerConfig server)
    {
        string name = server.Cluster ?? server.Target!;
        string? refusal = null;
        ServerTlsConfig? tls = server.Cluster is { } served ? TlsOf(served, out refusal) : server.Tls;
        var target = new GrpcTarget
        {
            Name = name,
            Authority = server.Authority,
            Connect = cancellation => server.Cluster is not { } cluster ? ToTargetAsync(server.Target!, cancellation)
                : refusal is null ? ToClusterAsync(cluster, tls is not null, cancellation) : throw new IOException(refusal),
            Tls = tls is null ? null : () => ServerTls.Options(tls, HostOf(server.Authority)),
            Metadata = () => Headers(server),
        };
        return new DiscoveryServer(name, method => new GrpcStream(target, method));
    }

    private static string HostOf(string authority) => authority.LastIndexOf(':') is > 0 and int colon ? authority[..colon].Trim('[', ']') : authority;

    private IEnumerable<KeyValuePair<string, string>> Headers(GrpcServerConfig server)
    {
        foreach (KeyValuePair<string, string> header in server.Metadata)
        {
            yield return header;
        }

        foreach (SecretHeaderConfig secret in server.Secrets)
        {
            yield return KeyValuePair.Create(secret.Name, secret.Prefix + ServerTls.Text(secret.Value).Trim());
        }

        if (tokenFile.Length > 0)
        {
            yield return KeyValuePair.Create("authorization", "Bearer " + ServerTls.Text(new() { Filename = tokenFile }).Trim());
        }
    }

    /// <summary>TLS settings of a static cluster; null for plaintext, or with a reason for what is not done here.</summary>
    private ServerTlsConfig? TlsOf(string cluster, out string? refusal)
    {
        refusal = null;
        Any? typed = clusters.FirstOrDefault(one => one.Name == cluster)?.TransportSocket?.TypedConfig;
        if (!TypedConfig.Is<UpstreamTlsContext>(typed))
        {
            return null;
        }

        var issues = new IssueCollector();
        ServerTlsConfig? tls = ControlPlaneTlsDecoder.Decode(typed!, new DecodeScope(issues, $"{cluster}.transport_socket.typed_config"));
        refusal = issues.HasErrors ? string.Join("; ", issues.Issues) : null;
        return tls;
    }

    private async ValueTask<Stream> ToClusterAsync(string name, bool tls, CancellationToken cancellation)
    {
        if (!store.Current.Clusters.TryGetValue(name, out ClusterSnapshot? cluster) || cluster.Endpoints.IsEmpty)
        {
            throw new IOException($"cluster '{name}' has no endpoint");
        }

        // Never in plaintext where TLS is asked for: a token would travel with it.
        if (cluster.RequiresTls && !tls)
        {
            throw new IOException($"cluster '{name}' asks for TLS, and is no static cluster whose settings could be used");
        }

        // What its transport_socket_matches choose counts, endpoint by endpoint.
        EndpointSnapshot[] endpoints = [.. cluster.Endpoints.Where(endpoint => tls || !endpoint.RequiresTls)];
        if (endpoints.Length == 0)
        {
            throw new IOException($"every endpoint of cluster '{name}' asks for TLS by transport_socket_matches, which are not used on the way to a control plane");
        }

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

    private static async ValueTask<Stream> ToTargetAsync(string target, CancellationToken cancellation)
    {
        EndPoint address = target.StartsWith(Unix, StringComparison.Ordinal)
            ? new UnixDomainSocketEndPoint(target[Unix.Length..])
            : new DnsEndPoint(HostOf(target), int.Parse(target[(target.LastIndexOf(':') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
        try
        {
            return await ConnectAsync(address, TargetConnectTimeout, cancellation).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is SocketException or TimeoutException)
        {
            throw new IOException($"{target}: {failure.Message}", failure);
        }
    }

    private static async ValueTask<Stream> ConnectAsync(EndPoint address, TimeSpan limit, CancellationToken cancellation)
    {
        Socket socket = address switch
        {
            UnixDomainSocketEndPoint => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
            IPEndPoint ip => new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
            _ => new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
        };
        try
        {
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
