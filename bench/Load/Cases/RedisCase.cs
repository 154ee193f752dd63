using System.Net;
using MeshL4.Load.Measuring;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>GET of a 64-byte value by redis-benchmark over 50 connections, <paramref name="pipeline"/> commands in flight on each.</summary>
/// <param name="name">The name of <c>--case</c>.</param>
/// <param name="what">One sentence.</param>
/// <param name="pipeline">Commands in flight on each connection.</param>
/// <param name="clients">Connections.</param>
internal abstract class RedisCase(string name, string what, int pipeline, int clients = 50) : RateCase(name, what)
{
    /// <summary>Managed memory a request cost, without connections and the page that tells.</summary>
    protected const string Allocated = "allocated per request";

    private readonly Dictionary<string, double> _lastRates = [];

    protected override (string Metric, string Unit) Rate => ("requests", "req/s");

    protected override async Task<Upstream> StartUpstreamAsync(CaseContext context)
    {
        var upstream = await Upstream.StartRedisAsync(context, IPAddress.Loopback);
        try
        {
            await RedisLoad.SetKeyAsync(upstream.EndPoints[0], context.Stop);
            return upstream;
        }
        catch
        {
            await upstream.DisposeAsync();
            throw;
        }
    }

    protected override async Task<Measurement> LoadAsync(CaseContext context, RunningSubject subject, double seconds)
    {
        // The tool counts requests, not seconds: the subject's own last rate says how many make up the time.
        var count = (long)(_lastRates.GetValueOrDefault(subject.Name, 15000.0 * pipeline) * seconds);
        var limit = TimeSpan.FromSeconds((seconds * 10) + 20);
        var first = await subject.AllocatedAsync(context.Stop);

        // As many connections, and as good as no requests: what is more afterwards is the requests' own.
        long few = clients * pipeline;
        _ = first is null ? default : await RedisLoad.RunAsync(subject.Targets[0], clients, pipeline, few, limit, context.Stop);
        var before = await subject.AllocatedAsync(context.Stop);
        var result = await RedisLoad.RunAsync(subject.Targets[0], clients, pipeline, count, limit, context.Stop);
        _lastRates[subject.Name] = result.RequestsPerSecond;
        var after = await subject.AllocatedAsync(context.Stop);
        (string, string, double)[] extras = [("p50", "ms", result.P50Milliseconds), ("p99", "ms", result.P99Milliseconds)];
        return new Measurement(result.RequestsPerSecond, count, after is null ? extras : [
            .. extras, (Allocated, "B", Math.Max(0, (double)(after - before - (before - first))! / (count - few)))]);
    }
}
