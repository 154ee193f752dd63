using System.Diagnostics;
using System.Globalization;
using System.Net;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.Load.Measuring;
using MeshL4.Load.Xds;

namespace MeshL4.Load.Cases;

/// <summary>
/// A control plane with 10,000 clusters: how soon they serve and what they hold, what a change of one costs, and what a stream of
/// changes and thousands of listeners do to those who are served meanwhile.
/// </summary>
internal sealed partial class XdsCase() : BenchCase("xds", "10,000 clusters of 10 endpoints from a control plane, and 10,000 listeners")
{
    private const int Clusters = 10_000;
    private const string Serving = "first byte to serving";
    private const string Growth = "resident growth after 10 s";
    private const string Peak = "peak while loading";
    private const string Applied = "endpoint change, frame to acknowledgement";
    private const string Longest = "longest request";
    private const string Proxy = "meshl4";
    private const string Parsed = "parsed protos";
    private const string Typical = "meshl4, median";
    private const string Quiet = "quiet";
    private const string Changing = "one endpoint changing";

    public override IReadOnlyList<string> Needs => [Subjects.SubjectNames.Mesh];

    public override IReadOnlyList<Bar> Bars => [
        new Bar(Serving, Proxy, null, AtLeast: false, 3000),
        new Bar(Growth, Proxy, Parsed, AtLeast: false, 0.4),
        new Bar(Peak, Proxy, Parsed, AtLeast: false, 2),
        new Bar(Applied, Proxy, null, AtLeast: false, 5),
        new Bar(Longest, Changing, null, AtLeast: false, 10),
        new Bar(Captured, Many, Few, AtLeast: true, 0.95),
        new Bar(Tail, Updates, Quiet, AtLeast: false, 1.5),
        new Bar(Lost, Updates, null, AtLeast: false, 0),
        new Bar(Resident, AfterUpdates, BeforeUpdates, AtLeast: false, 1.1),
    ];

    public override (string Subject, string Again)? NoisePair => (Few, FewAgain);

    public override async Task<CaseResult> RunAsync(CaseContext context)
    {
        var result = new CaseResult(this);
        string program = Environment.GetEnvironmentVariable("MESHL4_BENCH_PROXY") ?? "artifacts/meshl4-proxy";
        await using Upstream upstream = await Upstream.StartRedisAsync(context, Loopback.Spread(net: 10, count: 2));
        PreparedResponse clusters = ClustersOf(Clusters);
        PreparedResponse endpoints = EndpointsOf(Clusters, upstream);
        double parsed = ParsedMegabytes(clusters, endpoints);
        for (int round = 0; round < Math.Max(1, context.Rounds / 2); round++)
        {
            double without = await AloneAsync(context, program, upstream);
            await using StreamedProxy proxy = await StreamedProxy.StartAsync(context, program, clusters, endpoints);
            await MeasureLoadAsync(context, proxy, without, parsed, result);
            await MeasureChangeAsync(context, proxy, result);
            await MeasureUpdatesAsync(context, proxy, upstream, result);
        }

        await MeasureListenersAsync(context, program, result);
        return result;
    }

    private static PreparedResponse ClustersOf(int count)
        => PreparedResponse.Of(Resources.ClusterType, "clusters", Enumerable.Range(0, count).Select(static n => (Resources.Name(n), (Google.Protobuf.IMessage)Resources.Cluster(n))));

    /// <summary>Cluster 0 has the servers of the run, the others have addresses that nobody connects to.</summary>
    private static PreparedResponse EndpointsOf(int count, Upstream upstream) => PreparedResponse.Of(
        Resources.EndpointsType, "endpoints", Enumerable.Range(0, count).Select(n => (Resources.Name(n), (Google.Protobuf.IMessage)Resources.Endpoints(n, n == 0 ? upstream.EndPoints : Resources.Addresses(n)))));

    /// <summary>What the messages hold on a managed heap when each is parsed and kept, without the bytes they came in and without any slack of the collector.</summary>
    private static double ParsedMegabytes(params PreparedResponse[] responses)
    {
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var held = new List<Google.Protobuf.IMessage>(2 * Clusters);
        foreach (PreparedResponse response in responses)
        {
            held.AddRange(response.Resources().Select(one => response.TypeUrl == Resources.ClusterType
                ? (Google.Protobuf.IMessage)L4Proxy.Config.Protos.Envoy.Config.Cluster.V3.Cluster.Parser.ParseFrom(one)
                : ClusterLoadAssignment.Parser.ParseFrom(one)));
        }

        long after = GC.GetTotalMemory(forceFullCollection: true);
        GC.KeepAlive(held);
        return (after - before) / (1024.0 * 1024);
    }

    /// <summary>Resident megabytes of the same proxy with a single cluster.</summary>
    private static async Task<double> AloneAsync(CaseContext context, string program, Upstream upstream)
    {
        await using StreamedProxy proxy = await StreamedProxy.StartAsync(context, program, ClustersOf(1), EndpointsOf(1, upstream));
        await proxy.ServesAsync(context.Stop);
        await Task.Delay(TimeSpan.FromSeconds(3), context.Stop);
        return ProcessTree.ResidentMegabytes(proxy.Pid);
    }

    private async Task MeasureLoadAsync(CaseContext context, StreamedProxy proxy, double without, double parsed, CaseResult result)
    {
        long begun = await proxy.Plane.WrittenAsync("clusters", context.Stop);
        await proxy.ServesAsync(context.Stop);
        double serving = Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
        double processor = ProcessTree.CpuSeconds(proxy.Pid) * 1000;
        double peak = proxy.PeakMegabytes - without;
        await Task.Delay(TimeSpan.FromSeconds(10), context.Stop);
        double growth = ProcessTree.ResidentMegabytes(proxy.Pid) - without;
        result.Add(Serving, "ms", Proxy, serving);
        result.Add("processor time until then", "ms", Proxy, processor);
        result.Add(Growth, "MB", Proxy, growth);
        result.Add(Growth, "MB", Parsed, parsed);
        result.Add(Peak, "MB", Proxy, peak);
        result.Add(Peak, "MB", Parsed, parsed);
        Say(context, $"serving after {serving:0} ms ({processor:0} ms of processor), {growth:0.0} MB more than without ({parsed:0.0} MB parsed), peak {peak:0.0} MB");
    }

    /// <summary>One endpoint of one cluster at a time, with requests beside it; and the same requests without.</summary>
    private async Task MeasureChangeAsync(CaseContext context, StreamedProxy proxy, CaseResult result)
    {
        int changes = (int)(context.Seconds * 50);
        PreparedResponse[] prepared = [.. Enumerable.Range(1, changes).Select(static n => Changed(n * 31 % Clusters, "change", n))];
        using var pings = new OpenLoopRequests(proxy.Listen, 50, Loopback.Ping.ToArray(), Loopback.PongLength, context.Stop);
        double[] quiet = await pings.RunAsync(1000, changes / 50.0, context.Stop);
        Task<double[]> beside = pings.RunAsync(1000, changes / 50.0, context.Stop);
        var applied = new List<double>(changes);
        foreach (PreparedResponse change in prepared)
        {
            applied.Add(await proxy.Plane.SendAsync(change, context.Stop));
            await Task.Delay(TimeSpan.FromMilliseconds(Math.Max(0, 20 - applied[^1])), context.Stop);
        }

        double[] changing = await beside;
        applied.Sort();
        result.Add(Applied, "ms", Proxy, Statistics.Percentile(applied, 0.99));
        result.Add(Applied, "ms", Typical, Statistics.Percentile(applied, 0.5));
        result.Add(Longest, "ms", Quiet, quiet[^1]);
        result.Add(Longest, "ms", Changing, changing[^1]);
        Say(context, $"one endpoint changed {applied.Count} times: p50 {applied[applied.Count / 2]:0.00} ms, p99 {Statistics.Percentile(applied, 0.99):0.00} ms, longest request {changing[^1]:0.0} ms (quiet {quiet[^1]:0.0} ms)");
    }

    /// <summary>The last endpoint of a cluster moves to another port.</summary>
    private static PreparedResponse Changed(int cluster, string kind, int number)
    {
        int at = Math.Max(1, cluster);
        IPEndPoint[] addresses = [.. Resources.Addresses(at)];
        addresses[^1] = new IPEndPoint(addresses[^1].Address, 9000 + (number % 1000));
        return PreparedResponse.Of(Resources.EndpointsType, string.Create(CultureInfo.InvariantCulture, $"{kind}-{number}"), [(Resources.Name(at), Resources.Endpoints(at, addresses))]);
    }

    private void Say(CaseContext context, FormattableString text) => context.Progress($"{Name}: {text.ToString(CultureInfo.InvariantCulture)}");
}
