using System.Net;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.Load.Cases;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Xds;

/// <summary>MeshL4 with everything from a control plane: clusters, their endpoints, and one listener in front of cluster 0.</summary>
internal sealed class StreamedProxy : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly ChildProcess _process;

    private StreamedProxy(ChildProcess process, BenchControlPlane plane, IPEndPoint listen)
        => (_process, Plane, Listen) = (process, plane, listen);

    public BenchControlPlane Plane { get; }

    /// <summary>Where its listener is.</summary>
    public IPEndPoint Listen { get; }

    public int Pid => _process.Pid;

    /// <summary>Largest resident size so far, in megabytes.</summary>
    public double PeakMegabytes => ProcessTree.PeakKilobytes(File.ReadAllText($"/proc/{Pid}/status")) / 1024.0;

    /// <summary>Starts both; returns without waiting for anything.</summary>
    public static async Task<StreamedProxy> StartAsync(CaseContext context, string program, PreparedResponse clusters, PreparedResponse endpoints)
    {
        IPEndPoint listen = Loopback.FreeEndPoint();
        Listener listener = Resources.Listener("bench", listen, Resources.Name(0));
        BenchControlPlane plane = await BenchControlPlane.StartAsync(
            clusters, endpoints, PreparedResponse.Of(Resources.ListenerType, "listeners", [(listener.Name, listener)]));
        string bootstrap = context.Workspace.Write("xds.yaml", Bootstrap(Loopback.FreeEndPoint(), plane.Address));
        return new StreamedProxy(ChildProcess.Start(program, "-c", bootstrap, "--concurrency", "2"), plane, listen);
    }

    /// <summary>Waits until a request through its listener is answered.</summary>
    /// <exception cref="VoidRunException">It ended, or took too long.</exception>
    public async Task ServesAsync(CancellationToken stop)
    {
        long begun = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!IsAnswered())
        {
            if (_process.HasExited || System.Diagnostics.Stopwatch.GetElapsedTime(begun) > Patience)
            {
                throw new VoidRunException($"the proxy does not serve what the control plane gave: {_process.Output}");
            }

            await Task.Delay(1, stop);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        await Plane.DisposeAsync();
    }

    private bool IsAnswered()
    {
        try
        {
            using var socket = PingClient.Create(IPAddress.Loopback);
            socket.Connect(Listen);
            PingClient.Ask(socket);
            return true;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return false;
        }
    }

    private static string Bootstrap(IPEndPoint admin, IPEndPoint plane) => $$"""
        node: { id: sidecar~10.0.0.1~bench.shop~shop.svc.cluster.local, cluster: bench.shop }
        admin: { address: { socket_address: { address: {{admin.Address}}, port_value: {{admin.Port}} } } }
        bootstrap_extensions:
        - name: meshl4.proxy_options
          typed_config: { "@type": type.googleapis.com/meshl4.bootstrap.v1.ProxyOptions, readiness_port: 0, prometheus_port: 0, max_downstream_connections: 9000 }
        dynamic_resources:
          ads_config:
            api_type: DELTA_GRPC
            transport_api_version: V3
            grpc_services: [ { google_grpc: { target_uri: "{{plane}}", stat_prefix: ads } } ]
          cds_config: { ads: {}, resource_api_version: V3 }
          lds_config: { ads: {}, resource_api_version: V3 }

        """;
}
