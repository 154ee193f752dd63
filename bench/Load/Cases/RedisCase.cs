using System.Globalization;
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
    /// <summary>Managed memory a request cost, connections and clocks included.</summary>
    protected const string Allocated = "allocated per request";

    private const string Key = "bench:key";
    private const int ValueBytes = 64;
    private readonly Dictionary<string, double> _lastRates = [];

    protected override (string Metric, string Unit) Rate => ("requests", "req/s");

    protected override async Task<Upstream> StartUpstreamAsync(CaseContext context)
    {
        var upstream = await Upstream.StartRedisAsync(context, IPAddress.Loopback);
        try
        {
            await SetKeyAsync(upstream.EndPoints[0], context.Stop);
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
        var target = subject.Targets[0];
        var before = await subject.AllocatedAsync(context.Stop);
        var output = await ChildProcess.RunAsync("redis-benchmark", [
            "-h", $"{target.Address}", "-p", $"{target.Port}", "-c", $"{clients}", "-P", $"{pipeline}", "-n", count.ToString(CultureInfo.InvariantCulture),
            "--csv", "GET", Key], TimeSpan.FromSeconds((seconds * 10) + 20), context.Stop);
        var result = RedisBenchmarkOutput.Parse(output, $"GET {Key}");
        _lastRates[subject.Name] = result.RequestsPerSecond;
        var after = await subject.AllocatedAsync(context.Stop);
        (string, string, double)[] extras = [("p50", "ms", result.P50Milliseconds), ("p99", "ms", result.P99Milliseconds)];
        return new Measurement(result.RequestsPerSecond, count, after is null ? extras : [.. extras, (Allocated, "B", (double)(after - before)! / count)]);
    }

    private static async Task SetKeyAsync(IPEndPoint redis, CancellationToken stop)
    {
        string[] to = ["-h", $"{redis.Address}", "-p", $"{redis.Port}"];
        await ChildProcess.RunAsync("redis-cli", [.. to, "SET", Key, new string('x', ValueBytes)], TimeSpan.FromSeconds(10), stop);
        var length = await ChildProcess.RunAsync("redis-cli", [.. to, "STRLEN", Key], TimeSpan.FromSeconds(10), stop);
        if (length.Trim() != $"{ValueBytes}")
        {
            throw new VoidRunException($"the key holds {length.Trim()} bytes instead of {ValueBytes}");
        }
    }
}
