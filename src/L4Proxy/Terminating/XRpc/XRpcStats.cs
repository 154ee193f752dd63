using System.Numerics;
using MeshL4.L4Proxy.Reporting;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// Counters of one stat prefix of one protocol: one shard per loop, added up when somebody asks. Names are bounded: the prefix is
/// configured, and methods are those of the codec's closed set, with <c>other</c> for the rest.
/// </summary>
internal sealed class XRpcStats(CodecTraits traits, string statPrefix) : IMetricSource
{
    private readonly Lock _adding = new();
    private XRpcStatShard[] _shards = [];

    /// <summary>Latencies are told in microseconds, else in milliseconds. They are held in units of their own, so all that was counted is told in the new one.</summary>
    public bool LatencyInMicros { get; set; }

    /// <summary>A shard for one loop; only that loop may add to it.</summary>
    public XRpcStatShard AddShard()
    {
        var shard = new XRpcStatShard(Math.Max(traits.Methods.Length, 1));
        lock (_adding)
        {
            _shards = [.. _shards, shard];
        }

        return shard;
    }

    /// <inheritdoc/>
    public void Collect(IMetricVisitor visitor)
    {
        XRpcStatShard[] shards = Volatile.Read(ref _shards);
        var scope = new MetricScope(traits.Name, $"envoy_{traits.Name}_prefix", statPrefix);
        visitor.Counter(scope, "downstream_cx_total", Sum(shards, static s => s.ConnectionsTotal));
        visitor.Gauge(scope, "downstream_cx_active", Sum(shards, static s => s.ConnectionsTotal - s.ConnectionsEnded));
        visitor.Counter(scope, "downstream_cx_protocol_error", Sum(shards, static s => s.ProtocolErrors));
        visitor.Counter(scope, "downstream_rq_total", Sum(shards, static s => s.RequestsTotal));
        visitor.Gauge(scope, "downstream_rq_active", Sum(shards, static s => s.RequestsTotal - s.RequestsEnded));
        visitor.Counter(scope, "downstream_rq_denied", Sum(shards, static s => s.Denied));
        visitor.Counter(scope, "downstream_rq_rate_limited", Sum(shards, static s => s.RateLimited));
        visitor.Counter(scope, "downstream_rq_mirrored", Sum(shards, static s => s.Mirrored));
        visitor.Counter(scope, "downstream_rq_mirror_overflow", Sum(shards, static s => s.MirrorsOverflown));
        visitor.Counter(scope, "downstream_rq_mirror_skipped", Sum(shards, static s => s.MirrorsSkipped));
        visitor.Counter(scope, "upstream_rq_retry", Sum(shards, static s => s.Retried));
        visitor.Counter(scope, "upstream_rq_retry_overflow", Sum(shards, static s => s.RetriesOverBudget));
        visitor.Counter(scope, "upstream_rq_hedge", Sum(shards, static s => s.Hedged));
        visitor.Counter(scope, "upstream_rq_hedge_won", Sum(shards, static s => s.HedgesWon));
        visitor.Counter(scope, "upstream_rq_hedge_overflow", Sum(shards, static s => s.HedgesOverBudget));
        visitor.Counter(scope, "delay_fault", Sum(shards, static s => s.DelayFaults));
        visitor.Counter(scope, "error_fault", Sum(shards, static s => s.AbortFaults));
        for (int method = 0; method < Math.Max(traits.Methods.Length, 1); method++)
        {
            CollectMethod(visitor, scope, shards, method);
        }
    }

    private static long Sum(XRpcStatShard[] shards, Func<XRpcStatShard, long> value) => shards.Sum(value);

    private void CollectMethod(IMetricVisitor visitor, in MetricScope scope, XRpcStatShard[] shards, int method)
    {
        long total = 0, success = 0, error = 0, ticks = 0;
        foreach (XRpcStatShard shard in shards)
        {
            ref MethodCounts counts = ref shard.Methods[method];
            (total, success, error, ticks) = (total + counts.Total, success + counts.Success, error + counts.Error, ticks + counts.Ticks);
        }

        if (total == 0)
        {
            return;
        }

        string name = "command." + (traits.Methods.IsEmpty ? "other" : traits.Methods[method]);
        visitor.Counter(scope, name + ".total", total);
        visitor.Counter(scope, name + ".success", success);
        visitor.Counter(scope, name + ".error", error);
        Latency(visitor, scope, name + ".latency", shards, method, ticks);
    }

    private void Latency(IMetricVisitor visitor, in MetricScope scope, string name, XRpcStatShard[] shards, int method, long ticks)
    {
        double unit = LatencyInMicros ? 1e3 : 1e6;
        Span<double> bounds = stackalloc double[XRpcStatShard.Buckets];
        Span<long> counts = stackalloc long[XRpcStatShard.Buckets];
        long running = 0;
        for (int i = 0; i < bounds.Length; i++)
        {
            bounds[i] = i == bounds.Length - 1 ? double.PositiveInfinity : Math.ScaleB(1024, i) / unit;
            foreach (XRpcStatShard shard in shards)
            {
                running += shard.Latency[method]?[i] ?? 0;
            }

            counts[i] = running;
        }

        visitor.Histogram(scope, name, bounds, counts, ticks * XRpcStatShard.NanosecondsPerTick / unit);
    }
}

/// <summary>Counts of one method on one loop.</summary>
internal struct MethodCounts
{
    public long Total;
    public long Success;
    public long Error;

    /// <summary>Sum of latencies in Stopwatch ticks.</summary>
    public long Ticks;
}

/// <summary>One loop's share of the counters: plain numbers that no other thread writes, read while they move.</summary>
internal sealed class XRpcStatShard(int methods)
{
    /// <summary>Latency buckets: up to 1024 ns, then twice as much each; the last takes the rest (over 68 s).</summary>
    public const int Buckets = 28;

    public static readonly double NanosecondsPerTick = 1e9 / System.Diagnostics.Stopwatch.Frequency;

    /// <summary>Copies of hedged requests saved up at most, in millionths of one.</summary>
    public const long MostHedgeCredit = 10_000_000;

    public readonly MethodCounts[] Methods = new MethodCounts[methods];
    public readonly long[]?[] Latency = new long[]?[methods];
    public long ConnectionsTotal;
    public long ConnectionsEnded;
    public long ProtocolErrors;
    public long RequestsTotal;
    public long RequestsEnded;
    public long Denied;
    public long RateLimited;
    public long Mirrored;
    public long MirrorsOverflown;
    public long MirrorsSkipped;
    public long Retried;
    public long RetriesOverBudget;
    public long Hedged;
    public long HedgesWon;
    public long HedgesOverBudget;
    public long DelayFaults;
    public long AbortFaults;

    /// <summary>Retries in flight.</summary>
    public long RetriesActive;

    /// <summary>Copies of hedged requests that may be sent now, in millionths of one: requests save them up by the budget's share.</summary>
    public long HedgeCredit = 3_000_000;

    /// <summary>Counts an answered request.</summary>
    public void Answered(int method, bool error, long ticks)
    {
        RequestsEnded++;
        ref MethodCounts counts = ref Methods[method];
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
        (Latency[method] ??= new long[Buckets])[bucket]++;
    }

    /// <summary>Counts a request taken in.</summary>
    public void Asked(int method)
    {
        RequestsTotal++;
        Methods[method].Total++;
    }
}
