using MeshL4.Load.Measuring;
using Shouldly;
using Xunit;

namespace MeshL4.Load.Tests;

public class ToolOutputTests
{
    [Fact]
    public void RedisBenchmark_CsvWithHeadingAndWarning_RateAndLatencies()
    {
        const string Output = """
            WARNING: Could not fetch server CONFIG
            "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
            "GET bench:key","91743.12","0.301","0.088","0.295","0.447","0.615","2.023"
            """;

        RedisBenchmarkOutput.Parse(Output, "GET bench:key").ShouldBe(new RedisBenchmarkOutput(91743.12, 0.295, 0.615));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Error from server: ERR unknown command\n")]
    [InlineData("\"SET other\",\"1.0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\"\n")]
    [InlineData("\"GET bench:key\",\"1.0\"\n")]
    public void RedisBenchmark_NoResultLine_VoidsTheRun(string output) =>
        Should.Throw<VoidRunException>(() => RedisBenchmarkOutput.Parse(output, "GET bench:key"));

    [Fact]
    public void Iperf_Report_WhatTheReceiverCounted()
    {
        const string Json = """
            {"start":{},"end":{"sum_sent":{"bytes":999,"bits_per_second":9.9},"sum_received":{"bytes":500,"bits_per_second":4.5e9}}}
            """;

        IperfOutput.Parse(Json).ShouldBe(new IperfOutput(4.5e9, 500));
    }

    [Theory]
    [InlineData("", "no usable report")]
    [InlineData("{\"end\":{}}", "no usable report")]
    [InlineData("{\"start\":{},\"error\":\"unable to connect to server\"}", "unable to connect to server")]
    public void Iperf_ErrorOrNothing_VoidsTheRunAndSaysWhy(string json, string why) =>
        Should.Throw<VoidRunException>(() => IperfOutput.Parse(json)).Message.ShouldContain(why);

    [Fact]
    public void RedisBenchmark_RunOfNoTime_HasAnInfiniteRate() =>
        RedisBenchmarkOutput.Parse("\"GET\",\"inf\",\"0.299\",\"0.160\",\"0.279\",\"0.447\",\"0.463\",\"0.463\"\n", "GET").RequestsPerSecond.ShouldBe(double.PositiveInfinity);
}
