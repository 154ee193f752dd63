using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream;

namespace MeshL4.L4Proxy.Terminating;

/// <summary><c>redis_proxy</c> on a connection: gives <see cref="RedisForward"/> its pipes, its counters and its clock.</summary>
internal sealed class RedisTerminal(UpstreamConnector connector, MetricsRegistry metrics)
{
    private static readonly TimeSpan LongestTick = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortestTick = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<string, RedisStats> _stats = new();
    private readonly ConcurrentDictionary<(string Prefix, int Loop), RedisStatShard> _shards = new();
    private readonly ConditionalWeakTable<RedisProxySnapshot, RedisRoutes> _routes = new();

    public async ValueTask RunAsync(Downstream downstream, RedisProxySnapshot proxy)
    {
        var upstreams = new List<UpstreamConnection>(2);
        RedisForward forward = new(
            downstream.Pipe,
            proxy,
            _routes.GetValue(proxy, static p => new RedisRoutes(p)),
            cluster => ConnectAsync(downstream, cluster, upstreams),
            Shard(proxy, downstream.Loop.Index),
            downstream.Record);
        downstream.OnCancel(forward.Abort);
        downstream.OnDrain(forward.Drain);
        using var clock = new RedisClock(downstream.Loop, forward, TickOf(proxy));
        try
        {
            await forward.RunAsync();
        }
        finally
        {
            upstreams.ForEach(u => u.Close(reset: downstream.Record.Flags != ResponseFlags.None));
        }
    }

    private static TimeSpan TickOf(RedisProxySnapshot proxy)
    {
        TimeSpan shortest = proxy.OpTimeout > TimeSpan.Zero ? proxy.OpTimeout / 4 : LongestTick;
        return shortest < ShortestTick ? ShortestTick : shortest > LongestTick ? LongestTick : shortest;
    }

    private async ValueTask<IDuplexPipe?> ConnectAsync(Downstream downstream, string cluster, List<UpstreamConnection> upstreams)
    {
        UpstreamConnection? upstream = await connector.ConnectAsync(downstream, cluster, maxAttempts: 1);
        if (upstream is null || downstream.IsCanceled)
        {
            upstream?.Close(reset: true);
            return null;
        }

        upstreams.Add(upstream);
        return upstream.Pipe;
    }

    private RedisStatShard Shard(RedisProxySnapshot proxy, int loop) =>
        _shards.TryGetValue((proxy.StatPrefix, loop), out RedisStatShard? shard)
            ? shard
            : _shards.GetOrAdd((proxy.StatPrefix, loop), key => Stats(key.Prefix, proxy).AddShard());

    private RedisStats Stats(string prefix, RedisProxySnapshot proxy) => _stats.GetOrAdd(prefix, p =>
    {
        var stats = new RedisStats(p, proxy.EnableCommandStats, proxy.LatencyInMicros);
        metrics.Add(stats);
        return stats;
    });

    /// <summary>Ticks a connection's time-outs on its loop.</summary>
    private sealed class RedisClock : IDisposable
    {
        private readonly EventLoop _loop;
        private readonly RedisForward _forward;
        private readonly TimeSpan _interval;
        private readonly LoopTimer _timer;
        private bool _stopped;

        public RedisClock(EventLoop loop, RedisForward forward, TimeSpan interval)
        {
            (_loop, _forward, _interval) = (loop, forward, interval);
            _timer = new LoopTimer(static state => ((RedisClock)state!).Tick(), this);
            loop.Timers.Arm(_timer, interval);
        }

        public void Dispose()
        {
            _stopped = true;
            _loop.Timers.Cancel(_timer);
        }

        private void Tick()
        {
            _forward.Tick(Stopwatch.GetTimestamp());
            if (!_stopped)
            {
                _loop.Timers.Arm(_timer, _interval);
            }
        }
    }
}
