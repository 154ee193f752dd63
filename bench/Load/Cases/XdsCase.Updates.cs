using System.Diagnostics;
using System.Net;
using MeshL4.Load.Measuring;
using MeshL4.Load.Xds;

namespace MeshL4.Load.Cases;

/// <summary>A hundred updates a second beside a thousand open connections.</summary>
internal sealed partial class XdsCase
{
    private const string Tail = "p99 of a request";
    private const string Lost = "connections lost";
    private const string Resident = "resident";
    private const string Updates = "100 updates/s";
    private const string BeforeUpdates = "before the updates";
    private const string AfterUpdates = "after them";
    private const int PerSecond = 100;
    private const int Connections = 1000;
    private const double Requests = 1000;

    private async Task MeasureUpdatesAsync(CaseContext context, StreamedProxy proxy, Upstream upstream, CaseResult result)
    {
        double seconds = context.Seconds < 2 ? 15 : 60;
        PreparedResponse[] prepared = [.. Enumerable.Range(1, (int)(seconds * PerSecond)).Select(n => Update(n, upstream))];
        using var pings = new OpenLoopRequests(proxy.Listen, Connections, Loopback.Ping.ToArray(), Loopback.PongLength, context.Stop);
        double[] before = await pings.RunAsync(Requests, seconds / 4, context.Stop);
        double residentBefore = ProcessTree.ResidentMegabytes(proxy.Pid);
        Task<double[]> beside = pings.RunAsync(Requests, seconds, context.Stop);
        await SendAsync(proxy.Plane, prepared, context.Stop);
        double[] during = await beside;
        double residentAfter = ProcessTree.ResidentMegabytes(proxy.Pid);
        double[] after = await pings.RunAsync(Requests, seconds / 4, context.Stop);
        double quiet = Statistics.Percentile([.. before.Concat(after).Order()], 0.99);
        result.Add(Tail, "ms", Quiet, quiet);
        result.Add(Tail, "ms", Updates, Statistics.Percentile(during, 0.99));
        result.Add(Longest, "ms", Updates, during[^1]);
        result.Add(Lost, "connections", Updates, pings.Lost);
        result.Add(Resident, "MB", BeforeUpdates, residentBefore);
        result.Add(Resident, "MB", AfterUpdates, residentAfter);
        Say(context, $"{prepared.Length} updates: p99 {Statistics.Percentile(during, 0.99):0.00} ms (quiet {quiet:0.00} ms), longest {during[^1]:0.0} ms, lost {pings.Lost}, resident {residentBefore:0.0} to {residentAfter:0.0} MB");
    }

    /// <summary>At fixed times, and every one acknowledged at the end.</summary>
    private static async Task SendAsync(BenchControlPlane plane, PreparedResponse[] updates, CancellationToken stop)
    {
        long begun = Stopwatch.GetTimestamp();
        for (int i = 0; i < updates.Length; i++)
        {
            TimeSpan wait = TimeSpan.FromSeconds((double)i / PerSecond) - Stopwatch.GetElapsedTime(begun);
            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait, stop);
            }

            await plane.WriteAsync(updates[i]);
        }

        foreach (PreparedResponse update in updates)
        {
            await plane.AcknowledgedAsync(update.Nonce, stop);
        }
    }

    /// <summary>Every tenth changes the endpoints of the cluster that is being used: one of its servers leaves, or comes back.</summary>
    private static PreparedResponse Update(int number, Upstream upstream)
    {
        if (number % 10 != 0)
        {
            return Changed(number * 37 % Clusters, "update", number);
        }

        IEnumerable<IPEndPoint> servers = upstream.EndPoints.Take(number % 20 == 0 ? 1 : 2);
        return PreparedResponse.Of(Resources.EndpointsType, $"update-{number}", [(Resources.Name(0), Resources.Endpoints(0, servers))]);
    }
}
