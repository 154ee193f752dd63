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

    private static readonly TimeSpan IdleTimeout = TimeSpan.FromHours(1);

    /// <summary>Waits for enough bytes to tell. They stay in the pipe. False with a failure in the record when there were none to tell by.</summary>
    public async ValueTask<bool> IsKnownAsync(Downstream downstream, IXRpcProtocol protocol)
    {
        PipeReader input = downstream.Pipe.Input;
        try
        {
            while (true)
            {
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
            downstream.Record.Fail(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset");
            return false;
        }
    }

    /// <summary>Relays to the cluster of requests without a key.</summary>
    public async ValueTask RelayAsync(Downstream downstream, XRpcProxySnapshot proxy)
    {
        if (proxy.Routes.Current.CatchAll is not { Clusters: [{ } first, ..] })
        {
            downstream.Record.Fail(ResponseFlags.NR, EndedBy.Proxy, "unknown_protocol_without_route");
            return;
        }

        UpstreamConnection? upstream = await connector.ConnectAsync(downstream, snapshots.Current, first.Cluster, maxAttempts: 1);
        if (upstream is not null)
        {
            await TcpForward.RelayAsync(downstream, upstream, IdleTimeout, null);
        }
    }

    private static Detection Detect(IXRpcProtocol protocol, in ReadOnlySequence<byte> buffer) =>
        protocol.Detect(buffer.IsSingleSegment ? buffer.FirstSpan : buffer.ToArray());
}
