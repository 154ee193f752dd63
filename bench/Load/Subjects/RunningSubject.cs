using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>A started subject. Without a process (direct) it uses no processor time and no memory of its own.</summary>
/// <param name="name">The subject's name.</param>
/// <param name="child">Its process, or null.</param>
/// <param name="targets">Where clients connect, in turn.</param>
/// <param name="admin">Where its admin pages are; null for rivals.</param>
internal sealed class RunningSubject(string name, ChildProcess? child, IReadOnlyList<IPEndPoint> targets, Uri? admin = null) : IAsyncDisposable
{
    private static readonly HttpClient Http = new();

    public string Name { get; } = name;

    public ChildProcess? Child { get; } = child;

    public IReadOnlyList<IPEndPoint> Targets { get; } = targets;

    /// <summary>Bytes a MeshL4 process has allocated since its start; null for rivals.</summary>
    public async Task<long?> AllocatedAsync(CancellationToken stop)
    {
        if (admin is null)
        {
            return null;
        }

        using var page = System.Text.Json.JsonDocument.Parse(await Http.GetStringAsync(new Uri(admin, "memory"), stop));
        return long.Parse(page.RootElement.GetProperty("allocated_since_start").GetString()!, System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Processor seconds used so far, or null without a process.</summary>
    public double? CpuSeconds() => Child is null ? null : ProcessTree.CpuSeconds(Child.Pid);

    public ValueTask DisposeAsync() => Child?.DisposeAsync() ?? ValueTask.CompletedTask;
}
