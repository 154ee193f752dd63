using System.Buffers;
using System.Collections.Concurrent;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Terminating.Policies;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>A protocol that chains may end in.</summary>
internal interface IXRpcProtocol
{
    CodecTraits Traits { get; }

    /// <summary>Whether a connection's first bytes are this protocol's.</summary>
    Detection Detect(ReadOnlySpan<byte> first);

    /// <summary>Serves one connection to its end; how it ended is in its record.</summary>
    ValueTask RunAsync(Downstream downstream, XRpcProxySnapshot proxy);
}

/// <summary>What the protocols of a process share.</summary>
internal sealed record XRpcServices(SnapshotStore Snapshots, LoopGuard Guard, MetricsRegistry Metrics, IRequestLog? RequestLog = null)
{
    /// <summary>Chooses the loops of clients; null leaves them where they were accepted.</summary>
    public ClientPlacement? Placement { get; init; }

    /// <summary>Protocols of other assemblies.</summary>
    public CodecSet Codecs { get; init; } = new();
}

/// <summary>One protocol: its codec, what its connections mean, and the state of each loop.</summary>
/// <param name="services">Shared parts of the process.</param>
/// <param name="converse">Makes the state of a new client connection.</param>
internal sealed class XRpcProtocol<TCodec>(XRpcServices services, Func<XRpcProxySnapshot, Conversation<TCodec>> converse) : IXRpcProtocol
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private readonly ConcurrentDictionary<int, XRpcLoop<TCodec>> _loops = new();
    private readonly XRpcStatTable _stats = new(TCodec.Traits, services.Metrics);

    public CodecTraits Traits => TCodec.Traits;

    public Detection Detect(ReadOnlySpan<byte> first) => TCodec.Detect(first);

    /// <summary>State of the loops that served a connection of this protocol; for tests and pages.</summary>
    public IEnumerable<XRpcLoop<TCodec>> Loops => _loops.Values;

    public async ValueTask RunAsync(Downstream downstream, XRpcProxySnapshot proxy)
    {
        // Each batch of requests looks at the configuration that runs by then.
        downstream.ForgetSnapshot();
        XRpcStatShard stats = Shard(proxy, downstream.Loop.Index);
        var session = new XRpcSession<TCodec>(LoopOf(downstream.Worker), downstream, proxy, converse(proxy), stats);
        stats.ConnectionsTotal++;
        try
        {
            downstream.OnCancel((flags, details) => session.Abort(flags, details));
            downstream.OnDrain(() => session.Drain());
            await ServeOnLoopAsync(downstream, session, TakeSniffed(downstream));
            while (session.MovesTo is { } target && !downstream.IsCanceled && await services.Placement!.MoveAsync(downstream, target))
            {
                session = new XRpcSession<TCodec>(LoopOf(target), session, Shard(proxy, target.Loop.Index));
                await ServeOnLoopAsync(downstream, session, []);
            }
        }
        finally
        {
            Shard(proxy, downstream.Loop.Index).ConnectionsEnded++;
        }
    }

    /// <summary>Serves a client until it ends or goes to another loop.</summary>
    private static ValueTask ServeOnLoopAsync(Downstream downstream, XRpcSession<TCodec> session, ReadOnlySpan<byte> sniffed)
    {
        if (downstream.Worker.IsDraining)
        {
            session.Drain();
        }

        return session.RunAsync(sniffed);
    }

    private XRpcLoop<TCodec> LoopOf(LoopWorker worker) => _loops.TryGetValue(worker.Loop.Index, out XRpcLoop<TCodec>? known)
        ? known
        : _loops.GetOrAdd(worker.Loop.Index, _ => new XRpcLoop<TCodec>(worker, services.Snapshots, services.Guard)
        {
            RequestLog = services.RequestLog, Placement = services.Placement,
        });

    private static byte[] TakeSniffed(Downstream downstream)
    {
        if (downstream.PipeIfAny is not { } pipe)
        {
            return [];
        }

        pipe.Detach();
        byte[] sniffed = pipe.Buffered.ToArray();
        downstream.Record.BytesReceived += sniffed.Length;
        pipe.Input.Complete();
        return sniffed;
    }

    private XRpcStatShard Shard(XRpcProxySnapshot proxy, int loop) => _stats.Shard(proxy.StatPrefix, loop, proxy.LatencyInMicros);
}
