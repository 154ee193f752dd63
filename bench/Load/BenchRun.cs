using MeshL4.Load.Cases;
using MeshL4.Load.Measuring;
using MeshL4.Load.Reporting;
using MeshL4.Load.Subjects;

namespace MeshL4.Load;

/// <summary>One run: the chosen cases one after the other, then the tables.</summary>
internal static class BenchRun
{
    /// <summary>Runs and returns the exit code (see <c>--help</c>).</summary>
    public static async Task<int> RunAsync(BenchOptions options, CancellationToken stop)
    {
        try
        {
            var results = await MeasureAsync(options, stop);
            return Report(options, results);
        }
        catch (VoidRunException e) when (!stop.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync($"VOID: {e.Message}");
            return 1;
        }
        catch (Exception e) when (e is OperationCanceledException or VoidRunException)
        {
            await Console.Error.WriteLineAsync("interrupted; every process started here has been ended");
            return 130;
        }
    }

    private static async Task<List<CaseResult>> MeasureAsync(BenchOptions options, CancellationToken stop)
    {
        using var workspace = new Workspace();
        var subjects = Catalog(options);
        var context = new CaseContext(options.RoundCount, options.Seconds, subjects, workspace, Console.Error.WriteLine, stop);
        var results = new List<CaseResult>();
        foreach (var one in AllCases.Create().Where(c => options.Cases?.Any(asked => AllCases.IsMeant(c, asked)) ?? true))
        {
            if (!one.Needs.All(subjects.Has))
            {
                if (options.Cases is not null)
                {
                    throw new VoidRunException($"{one.Name} was asked for, but {string.Join(" and ", one.Needs)} cannot be started here");
                }

                Console.Error.WriteLine($"{one.Name}: left out, it is about MeshL4 itself");
                continue;
            }

            results.Add(await one.RunAsync(context));
        }

        return results;
    }

    private static SubjectCatalog Catalog(BenchOptions options)
    {
        if (options.RivalsOnly)
        {
            return new SubjectCatalog(null, null);
        }

        if (options.Command is { } command)
        {
            return new SubjectCatalog(new CommandSubject(SubjectNames.Mesh, command), null);
        }

        return File.Exists(options.Proxy)
            ? new SubjectCatalog(
                new MeshSubject(SubjectNames.Mesh, options.Proxy, MeshBootstrap.TcpProxy),
                new MeshSubject(SubjectNames.MeshRedis, options.Proxy, MeshBootstrap.RedisProxy()),
                new MeshSubject(SubjectNames.MeshRedisOneLoop, options.Proxy, MeshBootstrap.RedisProxy(), loops: 1),
                new MeshSubject(SubjectNames.MeshOneRoute, options.Proxy, MeshBootstrap.RedisProxy(routes: 1)),
                new MeshSubject(SubjectNames.MeshRoutes, options.Proxy, MeshBootstrap.RedisProxy(routes: 5000)),
                new MeshSubject(SubjectNames.MeshTwoConnections, options.Proxy, MeshBootstrap.XRpcProxy("upstream: { connections_per_endpoint: 2 }")),
                new MeshSubject(SubjectNames.MeshPatient, options.Proxy, MeshBootstrap.XRpcProxy("limits: { slow_reader_timeout: 300s }")))
            : throw new VoidRunException($"there is no {options.Proxy}; build it, or say --rivals-only");
    }

    private static int Report(BenchOptions options, List<CaseResult> results)
    {
        var console = Tables.Console();
        foreach (var result in results)
        {
            Tables.WriteCase(console, result);
        }

        Tables.WriteBars(console, results);
        if (options.JsonFile is { } file)
        {
            JsonReport.Write(file, options, results);
        }

        var missed = results.SelectMany(r => r.Case.Bars.Select(bar => Verdict.Of(r, bar))).Any(v => v.Outcome == Outcome.Missed);
        return missed && options.Strict ? 3 : 0;
    }
}
