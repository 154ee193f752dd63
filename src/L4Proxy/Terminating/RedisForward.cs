using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating;

/// <summary>Opens this connection's pipe to a cluster; null when that failed, the reason being in the record.</summary>
internal delegate ValueTask<IDuplexPipe?> RedisConnect(string cluster);

/// <summary>
/// One downstream connection of <c>redis_proxy</c>. Two loops on one thread: one reads commands and forwards them as raw
/// bytes to a private upstream per cluster, the other takes answers in the order of the commands. A ring between them holds
/// what is in flight; an upstream is read only while the oldest command is its own, so slow clients slow their servers.
/// Awaits keep the caller's context: run it on the loop (inline continuations) or under a single-threaded context.
/// All pipes, those given included, are completed when <see cref="RunAsync"/> returns.
/// </summary>
internal sealed partial class RedisForward
{
    private readonly IDuplexPipe _down;
    private readonly RedisProxySnapshot _snapshot;
    private readonly RedisRoutes _routes;
    private readonly RedisConnect _connect;
    private readonly RedisStatShard _stats;
    private readonly ConnectionRecord _record;
    private readonly RedisPendingRing _ring = new();
    private readonly Queue<byte[]> _local = new();
    private readonly List<RedisUpstream> _upstreams = [];
    private readonly LoopSignal _work = new();
    private readonly LoopSignal _room = new();
    private string? _wanted;
    private string? _unreachable;
    private long _now;
    private bool _requestsDone;
    private bool _draining;
    private bool _ending;

    /// <summary>Binds a connection to its configuration.</summary>
    /// <param name="down">The client's side.</param>
    /// <param name="snapshot">Time-outs.</param>
    /// <param name="routes">Compiled once per <paramref name="snapshot"/>.</param>
    /// <param name="connect">Opens upstream pipes.</param>
    /// <param name="stats">The shard of the loop that runs this.</param>
    /// <param name="record">Takes byte counts and the way it ended.</param>
    public RedisForward(
        IDuplexPipe down, RedisProxySnapshot snapshot, RedisRoutes routes, RedisConnect connect, RedisStatShard stats, ConnectionRecord record)
    {
        (_down, _snapshot, _routes, _connect, _stats, _record) = (down, snapshot, routes, connect, stats, record);
        _scanner = new RespRequestScanner(RespLimitsOptions.Default);
        _lastActivity = Stopwatch.GetTimestamp();
    }

    /// <summary>Commands whose answers are due.</summary>
    public int InFlight => _ring.Count;

    /// <summary>Runs until either side is done. Never throws for what peers do; how it ended is in the record.</summary>
    public async Task RunAsync()
    {
        _stats.ConnectionsTotal++;
        Task requests = RequestsAsync();
        await RepliesAsync();
        Stop();
        await requests;
        await CompleteAsync();
        _stats.ConnectionsEnded++;
        for (; !_ring.IsEmpty; _ring.RemoveHead())
        {
            _stats.RequestsEnded += _ring.Head.Hidden ? 0 : 1;
        }
    }

    private async Task RequestsAsync()
    {
        EndedBy waitingOn = EndedBy.Downstream;
        try
        {
            while (!_ending && !_requestsDone)
            {
                waitingOn = EndedBy.Downstream;
                ReadResult read = await _down.Input.ReadAsync();
                if (_ending || (_draining && _streaming < 0 && read.Buffer.IsEmpty))
                {
                    break;
                }

                waitingOn = EndedBy.Upstream;
                ReadOnlySequence<byte> buffer = read.Buffer;
                _now = _lastActivity = Stopwatch.GetTimestamp();
                BeginBatch();
                Step step = Process(buffer);
                while (step is Step.NeedConnect or Step.Full && !_ending)
                {
                    await FlushUpstreamsAsync();
                    await (step == Step.NeedConnect ? ConnectAsync() : _ring.IsFull ? _room.WaitAsync() : default);
                    step = _ending ? Step.Stop : Process(buffer);
                }

                _down.Input.AdvanceTo(EndBatch(buffer), buffer.End);
                _requestsDone = step == Step.Stop || read.IsCompleted || (_draining && _streaming < 0);
                ValueTask flush = FlushUpstreamsAsync();
                if (!flush.IsCompletedSuccessfully)
                {
                    await flush;
                }
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            FailOn(waitingOn, e, "requests");
            Stop();
        }

        _requestsDone = true;
        if (_raw >= 0)
        {
            // Nothing but the server's end ends a push mode.
            _upstreams[_raw].IsSent = true;
            await _upstreams[_raw].Output.CompleteAsync();
        }

        WakeReplies();
    }

    private async ValueTask ConnectAsync()
    {
        string cluster = _wanted!;
        IDuplexPipe? pipe = await _connect(cluster);
        _record.ClusterName ??= cluster;
        if (pipe is null)
        {
            _record.Fail(ResponseFlags.UF, EndedBy.Proxy, "redis_upstream_connect_failed");
            _unreachable = cluster;
            return;
        }

        _upstreams.Add(new RedisUpstream(cluster, pipe));
    }

    /// <summary>Begins the flush of every upstream before waiting for any: the oldest answer may be due from the last one.</summary>
    private ValueTask FlushUpstreamsAsync()
    {
        bool waits = false;
        foreach (RedisUpstream upstream in _upstreams)
        {
            if (upstream.IsDirty)
            {
                upstream.IsDirty = false;
                upstream.Flushing = upstream.Output.FlushAsync();
                waits |= !upstream.Flushing.IsCompletedSuccessfully;
                upstream.HasFlush = true;
            }
        }

        WakeReplies();
        if (waits)
        {
            return AwaitFlushesAsync();
        }

        foreach (RedisUpstream upstream in _upstreams)
        {
            upstream.TakeFlush();
        }

        return default;
    }

    [System.Runtime.CompilerServices.AsyncMethodBuilder(typeof(System.Runtime.CompilerServices.PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask AwaitFlushesAsync()
    {
        // A list: upstreams are only added by this same loop.
        foreach (RedisUpstream upstream in _upstreams)
        {
            if (upstream.HasFlush)
            {
                await upstream.Flushing;
                upstream.HasFlush = false;
            }
        }
    }
}
