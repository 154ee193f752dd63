using System.Collections.Immutable;
using System.Net;
using System.Text.Json;
using MeshL4.L4Proxy.Admin;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.Logging;
using MeshL4.L4Proxy.Reporting.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Admin;

/// <summary>A running admin server on free loopback ports, with one cluster, and a client for it.</summary>
public abstract class AdminFixture : IAsyncLifetime
{
    internal ServerState State = ServerState.Live;
    internal bool DataPathAnswers = true;
    internal int Quits;
    internal DrainRequest? Drained;
    internal readonly LogLevels Levels = new();
    internal readonly ClusterState Redis = new("outbound|6379||redis");
    private readonly HttpClient _client = new();

    internal AdminServer Server { get; private set; } = null!;

    protected virtual bool EnableQuit => false;

    public async Task InitializeAsync() => Server = await AdminServer.StartAsync(Context(), NullLogger.Instance);

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await Server.DisposeAsync();
    }

    internal AdminContext Context()
    {
        SnapshotStore store = new();
        store.Swap(new ProxySnapshot { Clusters = new Dictionary<string, ClusterSnapshot> { [Redis.Name] = Cluster() }.ToImmutableDictionary() });
        MetricsRegistry metrics = new();
        metrics.Add(new ClusterMetrics(store));
        metrics.Add(new ServerMetrics(TimeProvider.System.GetUtcNow(), () => (int)State, static () => 5));
        IPEndPoint free = new(IPAddress.Loopback, 0);
        return new AdminContext
        {
            Snapshots = store,
            Metrics = metrics,
            LogLevels = Levels,
            Bootstrap = new BootstrapSnapshot { NodeId = "n1", NodeCluster = "c1", Admin = free, Readiness = free, Prometheus = free, EnableQuit = EnableQuit },
            State = () => State,
            Listeners = static () => [new("virtualOutbound", IPEndPoint.Parse("0.0.0.0:15001")), new("six", IPEndPoint.Parse("[::1]:1"))],
            ConfigDump = new EchoingDump(),
            Quit = () => Interlocked.Increment(ref Quits),
            Drain = request => Drained = request,
            DataPathProbe = () => Task.FromResult(DataPathAnswers),
        };
    }

    protected Task<HttpResponseMessage> GetAsync(string path) => _client.GetAsync(new Uri($"http://{Server.Admin}{path}"));

    protected Task<HttpResponseMessage> GetAsync(IPEndPoint? port, string path) => _client.GetAsync(new Uri($"http://{port}{path}"));

    protected async Task<string> TextAsync(string path) => await (await GetAsync(path)).Content.ReadAsStringAsync();

    protected async Task<JsonElement> JsonAsync(string path) => JsonDocument.Parse(await TextAsync(path)).RootElement;

    protected Task<HttpResponseMessage> PostAsync(string path, string? host = null, string? origin = null)
    {
        HttpRequestMessage request = new(HttpMethod.Post, $"http://{Server.Admin}{path}");
        request.Headers.Host = host;
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        return _client.SendAsync(request);
    }

    private ClusterSnapshot Cluster()
    {
        IPEndPoint address = IPEndPoint.Parse("10.1.0.9:6379");
        Redis.Endpoint(address).Opened();
        Redis.Counters.CxTotal = 11;
        return new ClusterSnapshot
        {
            Name = Redis.Name,
            State = Redis,
            Endpoints = [new(address, "redis-0", 3, EndpointHealth.Unhealthy, Redis.Endpoint(address))],
        };
    }

    private sealed class EchoingDump : IConfigDump
    {
        public void WriteDump(Utf8JsonWriter w, string? resource, string? nameRegex)
        {
            w.WriteStartObject();
            w.WriteString("resource", resource);
            w.WriteString("name_regex", nameRegex);
            w.WriteEndObject();
        }
    }
}
