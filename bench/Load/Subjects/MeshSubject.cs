using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>MeshL4 from its artifact, two loops, a static bootstrap, no access log; as a plain relay or with the Redis codec.</summary>
internal sealed class MeshSubject(string name, string executable, bool redisCodec) : Subject(name)
{
    private IPEndPoint _admin = Loopback.FreeEndPoint();

    protected override ChildProcess Launch(Workspace workspace, IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams)
    {
        _admin = Loopback.FreeEndPoint();
        var bootstrap = workspace.Write("bootstrap.yaml", MeshBootstrap.Text(listen, _admin, upstreams, redisCodec));
        return ChildProcess.Start(executable, "-c", bootstrap, "--concurrency", "2");
    }

    protected override async Task WaitUntilReadyAsync(ChildProcess child, IPEndPoint listen, CancellationToken stop)
    {
        await Loopback.WaitForOkAsync(_admin, "/ready", child, Name, stop);
        await base.WaitUntilReadyAsync(child, listen, stop);
    }
}
