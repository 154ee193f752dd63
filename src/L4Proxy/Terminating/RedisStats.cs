using System.Numerics;
using MeshL4.L4Proxy.Reporting;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating;

/// <summary>
/// Counters of one <c>redis_proxy</c> stat prefix: one shard per loop, added up when somebody asks. Names are bounded:
/// the prefix is configured and the commands are those of the command table, with <c>other</c> for the rest.
/// </summary>
internal sealed class RedisStats(string statPrefix, bool commandStats = true, bool latencyInMicros = false) : IMetricSource
{
    private readonly Lock _adding = new();
    private RedisStatShard[] _shards = [];

    /// <summary>A shard for one loop; only that loop may add to it.</summary>
    public RedisStatShard AddShard()
    {
        var shard = new RedisStatShard();
        lock (_adding)
        {
            _shards = [.. _shards, shard];
        }

        return shard;
    }

    /// <inheritdoc/>
    public void Collect(IMetricVisitor visitor)
    {
        RedisStatShard[] shards = Volatile.Read(ref _shards);
        var scope = new MetricScope("redis", "envoy_redis_prefix", statPrefix);
        visitor.Counter(scope, "downstream_cx_total", Sum(shards, static s => s.ConnectionsTotal));
        visitor.Gauge(scope, "downstream_cx_active", Sum(shards, static s => s.ConnectionsTotal - s.ConnectionsEnded));
        visitor.Counter(scope, "downstream_cx_protocol_error", Sum(shards, static s => s.ProtocolErrors));
        visitor.Counter(scope, "downstream_rq_total", Sum(shards, static s => s.RequestsTotal));
        visitor.Gauge(scope, "downstream_rq_active", Sum(shards, static s => s.RequestsTotal - s.RequestsEnded));
        for (int id = 0; commandStats && id < RedisCommandTable.Count; id++)
        {
            CollectCommand(visitor, scope, shards, id);
        }
    }

    private void CollectCommand(IMetricVisitor visitor, in MetricScope scope, RedisStatShard[] shards, int id)
    {
        long total = 0, success = 0, error = 0, ticks = 0;
        foreach (RedisStatShard shard in shards)
        {
            ref CommandCounts counts = ref shard.Commands[id];
            (total, success, error, ticks) = (total + counts.Total, success + counts.Success, error + counts.Error, ticks + counts.Ticks);
        }

        if (total == 0)
        {
            return;
        }

        string name = "command." + RedisCommandTable.Get((RedisCommandId)id).Name.ToLowerInvariant();
        visitor.Counter(scope, name + ".total", total);
        visitor.Counter(scope, name + ".success", success);
        visitor.Counter(scope, name + ".error", error);
        Latency(visitor, scope, name + ".latency", shards, id, ticks);
    }

    private void Latency(IMetricVisitor visitor, in MetricScope scope, string name, RedisStatShard[] shards, int id, long ticks)
    {
        double unit = latencyInMicros ? 1e3 : 1e6;
        Span<double> bounds = stackalloc double[RedisStatShard.Buckets];
        Span<long> counts = stackalloc long[RedisStatShard.Buckets];
        long running = 0;
        for (int i = 0; i < bounds.Length; i++)
        {
            bounds[i] = i == bounds.Length - 1 ? double.PositiveInfinity : Math.ScaleB(1024, i) / unit;
            foreach (RedisStatShard shard in shards)
            {
                running += shard.Latency[id]?[i] ?? 0;
            }

            counts[i] = running;
        }

        visitor.Histogram(scope, name, bounds, counts, ticks * RedisStatShard.NanosecondsPerTick / unit);
    }

    private static long Sum(RedisStatShard[] shards, Func<RedisStatShard, long> value) => shards.Sum(value);
}

/// <summary>Counts of one command on one loop.</summary>
internal struct CommandCounts
{
    public long Total;
    public long Success;
    public long Error;

    /// <summary>Sum of latencies in Stopwatch ticks.</summary>
    public long Ticks;
}

/// <summary>One loop's share of the counters: plain numbers that no other thread writes, read while they move.</summary>
internal sealed class RedisStatShard
{
    /// <summary>Latency buckets: up to 1024 ns, then twice as much each; the last takes the rest (over 68 s).</summary>
    public const int Buckets = 28;

    public static readonly double NanosecondsPerTick = 1e9 / System.Diagnostics.Stopwatch.Frequency;

    public readonly CommandCounts[] Commands = new CommandCounts[RedisCommandTable.Count];
    public readonly long[]?[] Latency = new long[]?[RedisCommandTable.Count];
    public long ConnectionsTotal;
    public long ConnectionsEnded;
    public long ProtocolErrors;
    public long RequestsTotal;
    public long RequestsEnded;

    /// <summary>Counts an answered command.</summary>
    public void Answered(RedisCommandId command, bool error, long ticks)
    {
        RequestsEnded++;
        ref CommandCounts counts = ref Commands[(int)command];
        counts.Ticks += ticks;
        if (error)
        {
            counts.Error++;
        }
        else
        {
            counts.Success++;
        }

        // Stopwatch counts nanoseconds on Linux.
        int bucket = Math.Clamp(BitOperations.Log2((ulong)Math.Max(ticks, 1)) - 9, 0, Buckets - 1);
        (Latency[(int)command] ??= new long[Buckets])[bucket]++;
    }

    /// <summary>Counts a command taken in.</summary>
    public void Asked(RedisCommandId command)
    {
        RequestsTotal++;
        Commands[(int)command].Total++;
    }
}
