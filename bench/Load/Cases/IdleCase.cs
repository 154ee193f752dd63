using System.Globalization;
using MeshL4.Load.Measuring;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>Resident memory of a fresh process without traffic, MeshL4 with its admin endpoint on.</summary>
internal sealed class IdleCase() : FreshProcessCase("idle", "resident memory without traffic, admin on")
{
    private const string Metric = "resident";

    public override IReadOnlyList<Bar> Bars => [new Bar(Metric, SubjectNames.Mesh, null, AtLeast: false, 45)];

    protected override async Task<string> MeasureAsync(CaseContext context, RunningSubject subject, TimeSpan startedIn, CaseResult result)
    {
        // Late start-up work (background compilation, admin) belongs to an idle proxy's memory: let it happen first.
        await Task.Delay(TimeSpan.FromSeconds(2), context.Stop);
        var megabytes = ProcessTree.ResidentMegabytes(subject.Child!.Pid);
        result.Add(Metric, "MB", subject.Name, megabytes);
        return string.Create(CultureInfo.InvariantCulture, $"{megabytes:0.0} MB");
    }
}
