using System.Globalization;
using MeshL4.Load.Measuring;
using MeshL4.Load.Subjects;

namespace MeshL4.Load.Cases;

/// <summary>What 5,000 idle connections cost: each was opened through the proxy, answered one PING, and then stays.</summary>
internal sealed class IdleConnectionsCase() : FreshProcessCase("idle-5000", "5,000 idle connections that each answered a PING")
{
    private const int Connections = 5000;
    private const int Spare = 200;
    private const string More = "more resident";

    public override IReadOnlyList<Bar> Bars => [new Bar(More, SubjectNames.Mesh, null, AtLeast: false, 40)];

    protected override int RoundsOf(CaseContext context) => Math.Max(1, context.Rounds / 2);

    protected override async Task<string> MeasureAsync(CaseContext context, RunningSubject subject, TimeSpan startedIn, CaseResult result)
    {
        var pid = subject.Child!.Pid;
        ProcessTree.RequireOpenFiles($"the harness (pid {Environment.ProcessId})", Environment.ProcessId, Connections + Spare);
        ProcessTree.RequireOpenFiles(subject.Name, pid, (2 * Connections) + Spare);
        await Settle(context);
        var without = ProcessTree.ResidentMegabytes(pid);
        using var clients = new IdleClients();
        clients.Open(subject.Targets[0], Connections, context.Stop);
        await Settle(context);
        var with = ProcessTree.ResidentMegabytes(pid);
        clients.PingAll(context.Stop);

        result.Add("resident without", "MB", subject.Name, without);
        result.Add("resident with", "MB", subject.Name, with);
        result.Add(More, "MB", subject.Name, with - without);
        return string.Create(CultureInfo.InvariantCulture, $"{without:0.0} MB without, {with:0.0} MB with: {with - without:0.0} MB more");
    }

    private static Task Settle(CaseContext context) => Task.Delay(TimeSpan.FromSeconds(2), context.Stop);
}
