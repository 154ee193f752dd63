using System.IO.Pipelines;
using System.Net;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sniffing;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream;

namespace MeshL4.L4Proxy.Terminating;

/// <summary>
/// HTTP goes to the L7 engine with a PROXY header that tells the true source and original destination, then every byte
/// read while sniffing, once. Without an engine it goes where the client wanted; without that it ends with NR.
/// </summary>
internal sealed class HttpHandoff(UpstreamConnector connector)
{
    private static readonly ClusterSnapshot Outbound = new()
    {
        Name = "http_handoff_original_dst",
        Discovery = ClusterDiscovery.OriginalDestination,
        Policy = LoadBalancingPolicy.ClusterProvided,
        Limits = new CircuitBreakerLimits(uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue),
        State = new ClusterState("http_handoff_original_dst"),
    };

    /// <summary>Inbound dials leave from 127.0.0.6 / ::6, which redirect rules let pass; otherwise they would come back.</summary>
    private static readonly ClusterSnapshot Inbound = Outbound with
    {
        BindV4 = new IPEndPoint(new IPAddress([127, 0, 0, 6]), 0),
        BindV6 = new IPEndPoint(IPAddress.Parse("::6"), 0),
    };

    public async ValueTask RunAsync(Downstream downstream, HttpHandoffTerminalSnapshot terminal)
    {
        HttpHandoffSnapshot? handoff = downstream.Snapshot.Handoff;
        UpstreamConnection? upstream = handoff is not null
            ? await connector.ConnectAsync(downstream, handoff.Cluster, maxAttempts: 1)
            : await ConnectToOriginalAsync(downstream);
        if (upstream is null)
        {
            return;
        }

        if (handoff is not null && !await AnnounceAsync(downstream, upstream, handoff, terminal.RouteConfigName))
        {
            upstream.Close(reset: true);
            return;
        }

        await TcpForward.RelayAsync(downstream, upstream, terminal.IdleTimeout, maxDuration: null);
    }

    private async ValueTask<UpstreamConnection?> ConnectToOriginalAsync(Downstream downstream)
    {
        if (downstream.OriginalDestination is null)
        {
            downstream.Record.Fail(ResponseFlags.NR, EndedBy.Proxy, "no_http_engine_and_no_original_destination");
            return null;
        }

        ClusterSnapshot cluster = downstream.Listener.Direction == TrafficDirection.Inbound ? Inbound : Outbound;
        return await connector.ConnectAsync(downstream, cluster, maxAttempts: 1);
    }

    private static async ValueTask<bool> AnnounceAsync(Downstream downstream, UpstreamConnection upstream, HttpHandoffSnapshot handoff, string routes)
    {
        ConnectionRecord record = downstream.Record;
        SniffResult sniffed = downstream.Sniffed;
        string? protocol = sniffed.ApplicationProtocols.IsDefaultOrEmpty ? null : sniffed.ApplicationProtocols[0];
        SocketPipe pipe = upstream.Pipe;
        ProxyProtocolWriter.Write(pipe.Output, handoff.ProxyProtocol, record.Remote, record.Local, sniffed.ServerName, protocol, routes);
        try
        {
            FlushResult flushed = await pipe.Output.FlushAsync();
            pipe.Detach();
            return !flushed.IsCanceled;
        }
        catch (SocketResetException reset)
        {
            record.UpstreamFailure = reset.Message;
            record.Fail(ResponseFlags.UF, EndedBy.Upstream, "http_engine_reset");
            return false;
        }
    }
}
