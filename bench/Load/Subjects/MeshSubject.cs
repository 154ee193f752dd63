using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>MeshL4 from its artifact, a static bootstrap, no access log; as a plain relay or with the Redis codec.</summary>
/// <param name="name">Name in the tables.</param>
/// <param name="executable">The artifact.</param>
/// <param name="redisCodec">redis_proxy in place of tcp_proxy.</param>
/// <param name="loops">Event loops.</param>
/// <param name="routes">Prefix routes beside the catch-all, with the codec.</param>
internal sealed class MeshSubject(string name, string executable, bool redisCodec, int loops = 2, int routes = 0) : Subject(name)
{
    private IPEndPoint _admin = Loopback.FreeEndPoint();

    protected override ChildProcess Launch(Workspace workspace, IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams)
    {
        _admin = Loopback.FreeEndPoint();
        var bootstrap = workspace.Write("bootstrap.yaml", MeshBootstrap.Text(listen, _admin, upstreams, redisCodec, routes));
        return ChildProcess.Start(executable, "-c", bootstrap, "--concurrency", $"{loops}");
    }

    protected override Uri? AdminOf() => new($"http://{_admin}/");

    protected override async Task WaitUntilReadyAsync(ChildProcess child, IPEndPoint listen, CancellationToken stop)
    {
        await Loopback.WaitForOkAsync(_admin, "/ready", child, Name, stop);
        await base.WaitUntilReadyAsync(child, listen, stop);
    }
}
