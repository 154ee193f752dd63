using System.Globalization;
using System.Net;
using MeshL4.Load.Measuring;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>
/// What 1,000 clients of two upstream connections a loop wait for their answers, beside 50 clients at the same rate: half of what 50
/// clients reach when each sends as soon as it was answered. Requests are due at fixed times.
/// </summary>
internal sealed class OpenLoopCase() : BenchCase("xrpc-open", "redis GET at half the rate of saturation, 50 and 1,000 clients on two upstream connections a loop")
{
    private const int FewClients = 50;
    private const int ManyClients = 1000;
    private const string Tail = "p99 at a fixed rate";
    private const string Few = "50 clients";
    private const string FewAgain = "50 clients again";
    private const string Many = "1,000 clients";

    public override IReadOnlyList<string> Needs => [SubjectNames.MeshTwoConnections];

    public override IReadOnlyList<Bar> Bars => [new Bar(Tail, Many, Few, AtLeast: false, 2), new Bar("connections lost", Many, null, AtLeast: false, 0)];

    public override (string Subject, string Again)? NoisePair => (Few, FewAgain);

    public override async Task<CaseResult> RunAsync(CaseContext context)
    {
        var result = new CaseResult(this);
        await using var upstream = await Upstream.StartRedisAsync(context, IPAddress.Loopback);
        await RedisLoad.SetKeyAsync(upstream.EndPoints[0], context.Stop);
        await using var subject = await context.Subjects.StartAsync(SubjectNames.MeshTwoConnections, context.Workspace, upstream.EndPoints, context.Stop);
        var target = subject.Targets[0];
        using var few = new OpenLoopRequests(target, FewClients, RedisLoad.Request, RedisLoad.AnswerLength, context.Stop);
        using var many = new OpenLoopRequests(target, ManyClients, RedisLoad.Request, RedisLoad.AnswerLength, context.Stop);
        var saturation = await SaturationAsync(context, target, 15000);
        (string Name, OpenLoopRequests Clients)[] subjects = [(Few, few), (Many, many), (FewAgain, few)];
        for (var round = 0; round < context.Rounds; round++)
        {
            saturation = await SaturationAsync(context, target, saturation);
            result.Add("saturation", "req/s", Few, saturation);
            foreach (var (name, clients) in round % 2 == 0 ? subjects : subjects.Reverse())
            {
                var latencies = await clients.RunAsync(saturation / 2, context.Seconds, context.Stop);
                result.Add("connections lost", "connections", name, clients.Lost);
                result.Add(Tail, "ms", name, Statistics.Percentile(latencies, 0.99));
                result.Add("p50 at a fixed rate", "ms", name, Statistics.Percentile(latencies, 0.5));
                context.Progress(string.Create(CultureInfo.InvariantCulture,
                    $"{Name}: round {round + 1}/{context.Rounds} {name,-17} {latencies.Length / context.Seconds,9:N0} req/s  p50 {Statistics.Percentile(latencies, 0.5):0.000} ms  p99 {Statistics.Percentile(latencies, 0.99):0.000} ms"));
            }
        }

        return result;
    }

    /// <summary>Requests per second of 50 clients that send as soon as they were answered.</summary>
    private static async Task<double> SaturationAsync(CaseContext context, IPEndPoint target, double expected) => (await RedisLoad.RunAsync(
        target, FewClients, 1, (long)(expected * context.Seconds), TimeSpan.FromSeconds((context.Seconds * 10) + 20), context.Stop)).RequestsPerSecond;
}
