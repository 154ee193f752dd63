using System.Diagnostics;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>A case that starts every subject anew for every figure, forwards and backwards in turn.</summary>
internal abstract class FreshProcessCase(string name, string what) : BenchCase(name, what)
{
    /// <summary>The subjects in the order of the first round.</summary>
    protected virtual IReadOnlyList<string> Subjects => [SubjectNames.Haproxy, SubjectNames.Mesh, SubjectNames.Nginx];

    /// <summary>How many rounds, given those of the run.</summary>
    protected virtual int RoundsOf(CaseContext context) => context.Rounds;

    public override async Task<CaseResult> RunAsync(CaseContext context)
    {
        await using var upstream = await StartUpstreamAsync(context);
        var names = Subjects.Where(context.Subjects.Has).ToArray();
        var result = new CaseResult(this);
        for (var round = 0; round < RoundsOf(context); round++)
        {
            foreach (var name in round % 2 == 0 ? names : names.Reverse())
            {
                var started = Stopwatch.StartNew();
                await using var subject = await context.Subjects.StartAsync(name, context.Workspace, upstream.EndPoints, context.Stop);
                var line = await MeasureAsync(context, subject, started.Elapsed, result);
                context.Progress($"{Name}: round {round + 1}/{RoundsOf(context)} {name,-21} {line}");
            }
        }

        return result;
    }

    /// <summary>What stands behind the subjects: a redis-server unless a case needs more.</summary>
    protected virtual Task<Upstream> StartUpstreamAsync(CaseContext context) =>
        Upstream.StartRedisAsync(context, System.Net.IPAddress.Loopback);

    /// <summary>Adds the figures of one fresh process to <paramref name="result"/> and returns them in words.</summary>
    protected abstract Task<string> MeasureAsync(CaseContext context, RunningSubject subject, TimeSpan startedIn, CaseResult result);
}
