using System.Net;
using MeshL4.Load.Measuring;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>GET, and where asked SET, of a 64-byte value by redis-benchmark over 50 connections, <paramref name="pipeline"/> commands in flight on each.</summary>
/// <param name="name">The name of <c>--case</c>.</param>
/// <param name="what">One sentence.</param>
/// <param name="pipeline">Commands in flight on each connection.</param>
/// <param name="clients">Connections.</param>
internal abstract class RedisCase(string name, string what, int pipeline, int clients = 50) : RateCase(name, what)
{
    /// <summary>Managed memory a request cost, without connections and the page that tells.</summary>
    protected const string Allocated = "allocated per request";

    /// <summary>Rate of SET, where it is measured beside GET.</summary>
    protected const string SetRequests = "SET requests";

    private readonly Dictionary<(string Subject, string Command), double> _lastRates = [];

    /// <summary>Whether half of the time is for SET. Costs are those of both together.</summary>
    protected virtual bool WithSet => false;

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
        var first = await subject.AllocatedAsync(context.Stop);

        // As many connections, and few requests, after which each has gone to the loop that serves it: what is more afterwards is the requests' own.
        long few = 4 * clients * pipeline;
        _ = first is null ? default : await RedisLoad.RunAsync(subject.Targets[0], clients, pipeline, few, Limit(seconds), context.Stop);
        var before = await subject.AllocatedAsync(context.Stop);
        var share = WithSet ? seconds / 2 : seconds;
        var (get, count) = await RunAsync(context, subject, RedisLoad.Get, share);
        List<(string, string, double)> extras = [("p50", "ms", get.P50Milliseconds), ("p99", "ms", get.P99Milliseconds)];
        if (WithSet)
        {
            var (set, more) = await RunAsync(context, subject, RedisLoad.Set, share);
            count += more;
            extras.Add((SetRequests, "req/s", set.RequestsPerSecond));
        }

        if (await subject.AllocatedAsync(context.Stop) is { } after)
        {
            // Each run has connections of its own.
            var connections = (before - first)! * (WithSet ? 2 : 1);
            extras.Add((Allocated, "B", Math.Max(0, (double)(after - before - connections)! / (count - few))));
        }

        return new Measurement(get.RequestsPerSecond, count, [.. extras]);
    }

    private static TimeSpan Limit(double seconds) => TimeSpan.FromSeconds((seconds * 10) + 20);

    /// <summary>One command for about a time; its figures, and how many requests they were.</summary>
    private async Task<(RedisBenchmarkOutput Output, long Count)> RunAsync(CaseContext context, RunningSubject subject, IReadOnlyList<string> words, double seconds)
    {
        // The tool counts requests, not seconds: the subject's own last rate says how many make up the time.
        var count = (long)(_lastRates.GetValueOrDefault((subject.Name, words[0]), 15000.0 * pipeline) * seconds);
        var output = await RedisLoad.RunAsync(subject.Targets[0], clients, pipeline, count, Limit(seconds), context.Stop, words);
        _lastRates[(subject.Name, words[0])] = output.RequestsPerSecond;
        return (output, count);
    }
}
