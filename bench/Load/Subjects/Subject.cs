using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>One thing that is measured: how to start it between a listening endpoint and some upstreams.</summary>
internal abstract class Subject(string name)
{
    /// <summary>The name in the tables.</summary>
    public string Name { get; } = name;

    /// <summary>Starts it and returns when it accepts connections.</summary>
    public async Task<RunningSubject> StartAsync(Workspace workspace, IReadOnlyList<IPEndPoint> upstreams, CancellationToken stop)
    {
        var listen = Loopback.FreeEndPoint();
        var child = Launch(workspace, listen, upstreams);
        var running = new RunningSubject(Name, child, [listen], AdminOf());
        try
        {
            await WaitUntilReadyAsync(child, listen, stop);
            return running;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes the configuration and starts the process.</summary>
    protected abstract ChildProcess Launch(Workspace workspace, IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams);

    /// <summary>Where its admin pages are, once it was launched; null for rivals.</summary>
    protected virtual Uri? AdminOf() => null;

    /// <summary>Returns when traffic may begin.</summary>
    protected virtual Task WaitUntilReadyAsync(ChildProcess child, IPEndPoint listen, CancellationToken stop) =>
        Loopback.WaitForAcceptAsync(listen, child, Name, stop);
}
