using System.Globalization;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>
/// A case that puts load on each subject in turn and counts. The subjects stay up for the whole case, are warmed before anything
/// is counted, and are measured forwards and backwards (A B B A), so that a machine that grows slower harms nobody in particular.
/// </summary>
internal abstract class RateCase(string name, string what) : BenchCase(name, what)
{
    private const int WarmUps = 2;

    /// <summary>The subjects in the order of the first round.</summary>
    protected abstract IReadOnlyList<string> Subjects { get; }

    /// <summary>Name and unit of the rate.</summary>
    protected abstract (string Metric, string Unit) Rate { get; }

    /// <summary>Name and unit of processor time, and how many microseconds the unit holds per unit of work.</summary>
    protected virtual (string Metric, string Unit) Cost => ("CPU per request", "us");

    public override async Task<CaseResult> RunAsync(CaseContext context)
    {
        await using var upstream = await StartUpstreamAsync(context);
        await using var running = new SubjectSet();
        foreach (var name in Subjects.Where(context.Subjects.Has))
        {
            running.Add(await context.Subjects.StartAsync(name, context.Workspace, upstream.EndPoints, context.Stop));
        }

        await WarmAsync(context, running);
        var result = new CaseResult(this);
        for (var round = 0; round < context.Rounds; round++)
        {
            foreach (var subject in round % 2 == 0 ? running.All : running.All.Reverse())
            {
                await MeasureOneAsync(context, subject, result, round);
            }
        }

        return result;
    }

    /// <summary>Starts what stands behind the subjects.</summary>
    protected abstract Task<Upstream> StartUpstreamAsync(CaseContext context);

    /// <summary>Puts load on one subject for about <paramref name="seconds"/>.</summary>
    protected abstract Task<Measurement> LoadAsync(CaseContext context, RunningSubject subject, double seconds);

    private async Task WarmAsync(CaseContext context, SubjectSet running)
    {
        foreach (var subject in Enumerable.Repeat(running.All, WarmUps).SelectMany(all => all))
        {
            context.Progress($"{Name}: warming {subject.Name}");
            await LoadAsync(context, subject, Math.Min(context.Seconds, 1.5));
        }
    }

    private async Task MeasureOneAsync(CaseContext context, RunningSubject subject, CaseResult result, int round)
    {
        var before = subject.CpuSeconds();
        var measured = await LoadAsync(context, subject, context.Seconds);
        var cpu = subject.CpuSeconds() - before;
        if (!(measured.Rate > 0) || !(measured.Units > 0))
        {
            throw new Measuring.VoidRunException($"{Name}: {subject.Name} gave no figure in round {round + 1}");
        }

        result.Add(Rate.Metric, Rate.Unit, subject.Name, measured.Rate);
        if (cpu is { } seconds)
        {
            result.Add(Cost.Metric, Cost.Unit, subject.Name, seconds * 1e6 / measured.Units);
        }

        foreach (var (metric, unit, value) in measured.Extras)
        {
            result.Add(metric, unit, subject.Name, value);
        }

        context.Progress(string.Create(CultureInfo.InvariantCulture,
            $"{Name}: round {round + 1}/{context.Rounds} {subject.Name,-21} {measured.Rate,14:N1} {Rate.Unit}  {cpu * 1e6 / measured.Units,9:0.000} {Cost.Unit}"));
    }
}
