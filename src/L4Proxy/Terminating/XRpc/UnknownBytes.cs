using System.Buffers;
using System.IO.Pipelines;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// Connections whose first bytes are no frame, on a chain that lets those through as plain TCP: looked at before the first frame only.
/// </summary>
/// <param name="connector">Connects those that are relayed.</param>
/// <param name="snapshots">Has their cluster: a silent client may have waited for days since it was let in.</param>
internal sealed class UnknownBytes(UpstreamConnector connector, SnapshotStore snapshots)
{
    /// <summary>A codec that has not made up its mind by then never will.</summary>
    private const int MostBytes = 16 * 1024;

    private readonly TcpForward _tcp = new(connector);

    /// <summary>
    /// Waits for enough bytes to tell, as long as a client of the codec may be silent. They stay in the pipe. False with a failure in the record when there
    /// were none to tell by.
    /// </summary>
    public static async ValueTask<bool> IsKnownAsync(Downstream downstream, XRpcProxySnapshot proxy, IXRpcProtocol protocol)
    {
        PipeReader input = downstream.Pipe.Input;
        var idle = new LoopTimer(static state => ((Downstream)state!).Cancel(ResponseFlags.SI, "idle_timeout"), downstream);
        LoopTimer? limit = TcpForward.LimitDuration(downstream, proxy.Replaced?.MaxDownstreamConnectionDuration);
        try
        {
            while (true)
            {
                if (proxy.IdleTimeout > TimeSpan.Zero)
                {
                    downstream.Loop.Timers.Arm(idle, proxy.IdleTimeout);
                }

                ReadResult read = await input.ReadAsync();
                Detection detection = Detect(protocol, read.Buffer);
                bool last = read.IsCompleted || read.IsCanceled || read.Buffer.Length >= MostBytes;
                input.AdvanceTo(read.Buffer.Start, detection == Detection.More && !last ? read.Buffer.End : read.Buffer.Start);
                if (detection != Detection.More || last)
                {
                    return detection == Detection.Yes || (detection == Detection.More && read.Buffer.IsEmpty);
                }
            }
        }
        catch (SocketResetException)
        {
            if (!downstream.IsCanceled)
            {
                downstream.Record.Fail(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset");
            }

            return false;
        }
        finally
        {
            downstream.Loop.Timers.Cancel(idle);
            if (limit is not null)
            {
                downstream.Loop.Timers.Cancel(limit);
            }
        }
    }

    /// <summary>Relays as the <c>tcp_proxy</c> does that the codec stands in place of, else to the clusters of requests without a key.</summary>
    public ValueTask RelayAsync(Downstream downstream, XRpcProxySnapshot proxy)
    {
        if (proxy.Routes.Current.CatchAll is not { Clusters.Length: > 0 } route)
        {
            downstream.Record.Fail(ResponseFlags.NR, EndedBy.Proxy, "unknown_protocol_without_route");
            return ValueTask.CompletedTask;
        }

        if (proxy.Rule is not null)
        {
            downstream.RelayedTo = route.Clusters;
        }

        TcpProxySnapshot tcp = (proxy.Replaced ?? new TcpProxySnapshot { Clusters = [], IdleTimeout = proxy.IdleTimeout })
            with { Clusters = route.Clusters, TotalWeight = route.TotalWeight };
        return _tcp.RunAsync(downstream, tcp, snapshots.Current);
    }

    private static Detection Detect(IXRpcProtocol protocol, in ReadOnlySequence<byte> buffer) =>
        protocol.Detect(buffer.IsSingleSegment ? buffer.FirstSpan : buffer.ToArray());
}
