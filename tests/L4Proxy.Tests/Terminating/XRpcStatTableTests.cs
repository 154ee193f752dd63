using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Terminating;

public sealed class XRpcStatTableTests
{
    private const int Loops = 8;

    private const int Prefixes = 300;

    /// <summary>The first clients of a proxy come to several loops at once. One prefix has one set of figures, in which all of them count.</summary>
    [Fact]
    public void Loops_ThatMeetAPrefixAtOnce_CountInOneSetOfFigures()
    {
        var metrics = new MetricsRegistry();
        var table = new XRpcStatTable(RespCodec.Traits, metrics);
        using var together = new Barrier(Loops);
        Thread[] loops = [.. Enumerable.Range(0, Loops).Select(loop => new Thread(() =>
        {
            for (int i = 0; i < Prefixes; i++)
            {
                together.SignalAndWait();
                table.Shard($"p{i}", loop, latencyInMicros: false).ConnectionsTotal++;
            }
        }))];
        Array.ForEach(loops, static thread => thread.Start());
        Array.ForEach(loops, static thread => thread.Join());

        var seen = new Totals();
        metrics.Collect(seen);

        seen.Values.ShouldBe(Enumerable.Range(0, Prefixes).Select(static i => ($"p{i}", (long)Loops)), ignoreOrder: true);
    }

    /// <summary>An update may change it; what was counted before is told in the new unit too.</summary>
    [Fact]
    public void LatencyUnit_IsThatOfTheLastClient()
    {
        var metrics = new MetricsRegistry();
        var table = new XRpcStatTable(RespCodec.Traits, metrics);
        XRpcStatShard shard = table.Shard("p", 0, latencyInMicros: false);
        shard.Asked(0);
        shard.Answered(0, false, TimeSpan.FromMilliseconds(5).Ticks * System.Diagnostics.Stopwatch.Frequency / TimeSpan.TicksPerSecond);
        var seen = new Totals();
        metrics.Collect(seen);
        table.Shard("p", 0, latencyInMicros: true).ShouldBeSameAs(shard);
        metrics.Collect(seen);
        seen.Sums.Select(static sum => Math.Round(sum)).ShouldBe([5, 5000]);
    }

    private sealed class Totals : IMetricVisitor
    {
        public List<(string Prefix, long Value)> Values { get; } = [];

        public void Counter(in MetricScope scope, string name, long value)
        {
            if (name == "downstream_cx_total")
            {
                Values.Add((scope.TagValue, value));
            }
        }

        public void Gauge(in MetricScope scope, string name, long value)
        {
        }

        public List<double> Sums { get; } = [];

        public void Histogram(in MetricScope scope, string name, ReadOnlySpan<double> upperBounds, ReadOnlySpan<long> counts, double sum) => Sums.Add(sum);
    }
}
