using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>MeshL4 from its artifact, a static bootstrap, no access log.</summary>
/// <param name="name">Name in the tables.</param>
/// <param name="executable">The artifact.</param>
/// <param name="filter">The filter that takes connections, of <see cref="MeshBootstrap"/>.</param>
/// <param name="loops">Event loops.</param>
internal sealed class MeshSubject(string name, string executable, string filter, int loops = 2) : Subject(name)
{
    private IPEndPoint _admin = Loopback.FreeEndPoint();

    protected override ChildProcess Launch(Workspace workspace, IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams)
    {
        _admin = Loopback.FreeEndPoint();
        var bootstrap = workspace.Write("bootstrap.yaml", MeshBootstrap.Text(listen, _admin, upstreams, filter));
        return ChildProcess.Start(executable, "-c", bootstrap, "--concurrency", $"{loops}");
    }

    protected override Uri? AdminOf() => new($"http://{_admin}/");

    protected override async Task WaitUntilReadyAsync(ChildProcess child, IPEndPoint listen, CancellationToken stop)
    {
        await Loopback.WaitForOkAsync(_admin, "/ready", child, Name, stop);
        await base.WaitUntilReadyAsync(child, listen, stop);
    }
}
