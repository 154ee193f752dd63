using System.Buffers;
using System.Net;
using System.Text;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using Shouldly;

namespace MeshL4.L4Proxy.Tests.Reporting;

/// <summary>A finished connection with every field set, and a reporter that only counts.</summary>
internal static class ReportingSamples
{
    public static ListenerSnapshot Listener(params AccessLogSnapshot[] logs) => new()
    {
        Name = "virtualOutbound",
        Address = new IPEndPoint(IPAddress.Any, 15001),
        AccessLogs = [.. logs],
    };

    public static FilterChainSnapshot Chain(params AccessLogSnapshot[] logs) => new()
    {
        Name = "chain-a",
        Terminal = new TcpProxySnapshot { StatPrefix = "pfx", Clusters = [new("outbound|6379||redis.ns.svc", 1)], AccessLogs = [.. logs] },
    };

    public static ConnectionRecord Record(IConnectionReporter reporter, ListenerSnapshot? listener = null) => new(reporter, 7, listener ?? Listener())
    {
        Chain = Chain(),
        DirectRemote = IPEndPoint.Parse("[::ffff:10.0.0.5]:40000"),
        Remote = IPEndPoint.Parse("10.0.0.5:40000"),
        Local = IPEndPoint.Parse("10.9.0.1:6379"),
        ServerName = "redis.example",
        ClusterName = "outbound|6379||redis.ns.svc",
        UpstreamHost = IPEndPoint.Parse("10.1.0.9:6379"),
        UpstreamLocal = IPEndPoint.Parse("10.0.0.5:50000"),
        ConnectAttempts = 1,
        ConnectTime = TimeSpan.FromMilliseconds(3),
        BytesReceived = 12,
        BytesSent = 34,
    };

    public static string Text(string format, ConnectionRecord record)
    {
        AccessLogFormat.TryCompile(format, out AccessLogFormat? compiled, out string error).ShouldBeTrue(error);
        ArrayBufferWriter<byte> output = new();
        compiled!.Write(record, output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    public static string Line(AccessLogSnapshot log, ConnectionRecord record)
    {
        AccessLogLine.TryCompile(log, out AccessLogLine? compiled, out string error).ShouldBeTrue(error);
        ArrayBufferWriter<byte> output = new();
        compiled!.Write(record, output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}

internal sealed class CountingReporter : IConnectionReporter
{
    public int Reports;

    public void Report(ConnectionRecord record) => Interlocked.Increment(ref Reports);
}
