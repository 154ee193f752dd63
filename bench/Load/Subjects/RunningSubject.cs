using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>A started subject. Without a process (direct) it uses no processor time and no memory of its own.</summary>
/// <param name="name">The subject's name.</param>
/// <param name="child">Its process, or null.</param>
/// <param name="targets">Where clients connect, in turn.</param>
internal sealed class RunningSubject(string name, ChildProcess? child, IReadOnlyList<IPEndPoint> targets) : IAsyncDisposable
{
    public string Name { get; } = name;

    public ChildProcess? Child { get; } = child;

    public IReadOnlyList<IPEndPoint> Targets { get; } = targets;

    /// <summary>Processor seconds used so far, or null without a process.</summary>
    public double? CpuSeconds() => Child is null ? null : ProcessTree.CpuSeconds(Child.Pid);

    public ValueTask DisposeAsync() => Child?.DisposeAsync() ?? ValueTask.CompletedTask;
}
