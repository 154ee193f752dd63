using System.Collections.Immutable;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Reporting;

public sealed class ConnectionReporterTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();
    private readonly SnapshotStore _store = new();
    private readonly LogSinks _sinks = new();
    private readonly ConnectionReporter _reporter;

    public ConnectionReporterTests() => _reporter = new ConnectionReporter(_store, _sinks);

    public void Dispose()
    {
        _sinks.Dispose();
        File.Delete(_path);
    }

    [Fact]
    public async Task Complete_ManyThreadsAtOnce_ReportsEachConnectionOnce()
    {
        const int Connections = 200;
        AccessLogSnapshot log = new(_path, "%CONNECTION_ID%\n");
        ListenerSnapshot listener = ReportingSamples.Listener();
        for (int i = 0; i < Connections; i++)
        {
            _reporter.Opened(listener);
            ConnectionRecord record = new(_reporter, i, listener) { Chain = ReportingSamples.Chain(log), BytesSent = 3 };
            Parallel.For(0, 8, _ => record.Complete());
        }

        await WrittenAsync(Connections);
        File.ReadAllLines(_path).Select(int.Parse).Order().ShouldBe(Enumerable.Range(0, Connections));
        Dictionary<string, long> values = Values();
        values["listener.0.0.0.0_15001.downstream_cx_total"].ShouldBe(Connections);
        values["listener.0.0.0.0_15001.downstream_cx_active"].ShouldBe(0);
        values["listener.0.0.0.0_15001.downstream_cx_destroy"].ShouldBe(Connections);
        values["tcp.pfx.downstream_cx_tx_bytes_total"].ShouldBe(Connections * 3);
    }

    [Fact]
    public void Report_RelayedConnection_CountsBytesOfClusterFromItsSide()
    {
        ClusterState state = new("outbound|6379||redis.ns.svc");
        ClusterSnapshot cluster = new() { Name = state.Name, State = state };
        _store.Swap(new ProxySnapshot { Clusters = new Dictionary<string, ClusterSnapshot> { [state.Name] = cluster }.ToImmutableDictionary() });

        ReportingSamples.Record(_reporter).Complete();

        state.Counters.CxTxBytesTotal.ShouldBe(12);
        state.Counters.CxRxBytesTotal.ShouldBe(34);
    }

    [Fact]
    public async Task Report_NoChain_CountsItAndWritesTheListenersLog()
    {
        ListenerSnapshot listener = ReportingSamples.Listener(new AccessLogSnapshot(_path, "%RESPONSE_FLAGS%\n"));
        _reporter.Opened(listener);
        ConnectionRecord record = new(_reporter, 1, listener);
        record.Fail(ResponseFlags.NR, EndedBy.Proxy, "filter_chain_not_found");
        record.Complete();
        await WrittenAsync(1);

        File.ReadAllText(_path).ShouldBe("NR\n");
        Values()["listener.0.0.0.0_15001.no_filter_chain_match"].ShouldBe(1);
        Values()["listener.0.0.0.0_15001.downstream_cx_response_flag_NR"].ShouldBe(1);
    }

    [Fact]
    public void Moved_HandedOver_CountsAtTheSecondListenerOnly()
    {
        ListenerSnapshot first = ReportingSamples.Listener();
        ListenerSnapshot second = first with { StatPrefix = "second" };
        _reporter.Opened(first);
        _reporter.Moved(first, second);

        Values()["listener.0.0.0.0_15001.downstream_cx_active"].ShouldBe(0);
        Values()["listener.0.0.0.0_15001.downstream_cx_total"].ShouldBe(0);
        Values()["listener.second.downstream_cx_active"].ShouldBe(1);
        _reporter.Counters.Active.ShouldBe(1);
    }

    [Fact]
    public void Report_RedisConnection_LeavesItsTotalToTheRedisTerminal()
    {
        ConnectionRecord record = new(_reporter, 1, ReportingSamples.Listener())
        {
            Chain = new FilterChainSnapshot { Terminal = new XRpcProxySnapshot { StatPrefix = "r", Codec = "redis", Routes = new XRpcRouteCell(new XRpcRouteTable([], false)) } },
            BytesReceived = 5,
        };
        record.Complete();

        Values().Keys.ShouldNotContain("redis.r.downstream_cx_total");
        Values()["redis.r.downstream_cx_rx_bytes_total"].ShouldBe(5);
    }

    [Fact]
    public void Report_EndlessClusterNames_StaysBounded()
    {
        ListenerSnapshot listener = ReportingSamples.Listener();
        for (int i = 0; i < 6000; i++)
        {
            new ConnectionRecord(_reporter, i, listener) { ClusterName = $"c{i}" }.Complete();
        }

        CollectedValues values = new();
        _reporter.Counters.Collect(values);
        values.Lines.Count(static l => l.Contains("istio_tcp_connections_closed_total", StringComparison.Ordinal)).ShouldBeLessThanOrEqualTo(4097);
        values.Sum("istio_tcp_connections_closed_total").ShouldBe(6000);
    }

    private Task WrittenAsync(int lines) =>
        Eventually.HoldsAfterDispose(_sinks, () => File.ReadAllBytes(_path).Count(static one => one == (byte)'\n') >= lines);

    private Dictionary<string, long> Values()
    {
        CollectedValues values = new();
        _reporter.Counters.Collect(values);
        return values.Last;
    }
}

/// <summary>Keeps what a source shows.</summary>
internal sealed class CollectedValues : IMetricVisitor
{
    public List<string> Lines { get; } = [];

    public Dictionary<string, long> Last { get; } = [];

    private readonly Dictionary<string, long> _sums = [];

    public long Sum(string name) => _sums.GetValueOrDefault(name);

    public void Counter(in MetricScope scope, string name, long value) => Add(scope, name, value);

    public void Gauge(in MetricScope scope, string name, long value) => Add(scope, name, value);

    public void Histogram(in MetricScope scope, string name, ReadOnlySpan<double> upperBounds, ReadOnlySpan<long> counts, double sum) =>
        Add(scope, name, counts[^1]);

    private void Add(in MetricScope scope, string name, long value)
    {
        string full = $"{scope.Scope}.{(scope.TagValue.Length > 0 ? scope.TagValue + "." : "")}{name}";
        Lines.Add(full);
        Last[full] = value;
        _sums[name] = _sums.GetValueOrDefault(name) + value;
    }
}
