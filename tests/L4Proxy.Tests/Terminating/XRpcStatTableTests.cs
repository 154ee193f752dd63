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

        public void Histogram(in MetricScope scope, string name, ReadOnlySpan<double> upperBounds, ReadOnlySpan<long> counts, double sum)
        {
        }
    }
}
