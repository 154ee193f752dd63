using System.Text;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.Metrics;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Reporting;

public sealed class PrometheusTextTests
{
    private static string Text(Action<IMetricVisitor> collect)
    {
        using MetricSamples samples = new();
        collect(samples);
        samples.Sort();
        StringBuilder output = new();
        PrometheusText text = new(output);
        foreach (MetricSample sample in samples.All.Span)
        {
            text.Append(sample);
        }

        return output.ToString();
    }

    [Fact]
    public void Append_HostileLabel_IsEscaped() =>
        Text(static v => v.Counter(new MetricScope("cluster", "envoy_cluster_name", "a\"b\\c\nd"), "x.y", 1))
            .ShouldBe("# TYPE envoy_cluster_x_y counter\nenvoy_cluster_x_y{envoy_cluster_name=\"a\\\"b\\\\c\\nd\"} 1\n");

    [Fact]
    public void Append_InterleavedSources_AreGroupedByName() =>
        Text(static v =>
        {
            foreach (string name in (string[])["b", "a"])
            {
                v.Counter(new MetricScope("tcp", "p", name), "one", 1);
                v.Gauge(new MetricScope("tcp", "p", name), "two", 2);
            }
        }).ShouldBe(
            "# TYPE envoy_tcp_one counter\nenvoy_tcp_one{p=\"a\"} 1\nenvoy_tcp_one{p=\"b\"} 1\n"
            + "# TYPE envoy_tcp_two gauge\nenvoy_tcp_two{p=\"a\"} 2\nenvoy_tcp_two{p=\"b\"} 2\n");

    [Fact]
    public void Append_OwnName_TakesNoPrefixAndAllLabels() =>
        Text(static v => v.Counter(new MetricScope("", Labels: [new("reporter", "source"), new("response_flags", "-")]), "istio_tcp_x_total", 4))
            .ShouldBe("# TYPE istio_tcp_x_total counter\nistio_tcp_x_total{reporter=\"source\",response_flags=\"-\"} 4\n");

    [Fact]
    public void Append_Histogram_HasBucketsSumAndCount() =>
        Text(static v => v.Histogram(new MetricScope("redis", "p", "r"), "t", [0.5, double.PositiveInfinity], [1, 3], 2.25))
            .ShouldBe(
                "# TYPE envoy_redis_t histogram\nenvoy_redis_t_bucket{p=\"r\",le=\"0.5\"} 1\nenvoy_redis_t_bucket{p=\"r\",le=\"+Inf\"} 3\n"
                + "envoy_redis_t_sum{p=\"r\"} 2.25\nenvoy_redis_t_count{p=\"r\"} 3\n");
}
