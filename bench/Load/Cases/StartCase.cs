using System.Globalization;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>
/// Time from exec until traffic may begin: MeshL4 when admin answers /ready with 200 and the listener accepts, the others when the
/// listener accepts.
/// </summary>
internal sealed class StartCase() : FreshProcessCase("start", "exec to ready")
{
    private const string Metric = "exec to ready";

    public override IReadOnlyList<Bar> Bars => [new Bar(Metric, SubjectNames.Mesh, null, AtLeast: false, 250)];

    protected override int RoundsOf(CaseContext context) => context.Rounds * 2;

    protected override Task<string> MeasureAsync(CaseContext context, RunningSubject subject, TimeSpan startedIn, CaseResult result)
    {
        result.Add(Metric, "ms", subject.Name, startedIn.TotalMilliseconds);
        return Task.FromResult(string.Create(CultureInfo.InvariantCulture, $"{startedIn.TotalMilliseconds:0.0} ms"));
    }
}
