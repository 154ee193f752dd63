using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>twemproxy (nutcracker): one thread, one connection to the server, as it comes.</summary>
internal sealed class TwemproxySubject() : Subject(SubjectNames.Twemproxy)
{
    protected override ChildProcess Launch(Workspace workspace, IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams) => ChildProcess.Start(
        "nutcracker", "-c", workspace.Write("nutcracker.yml", Configuration(listen, upstreams)), "-s", $"{Loopback.FreeEndPoint().Port}", "-a", "127.0.0.1");

    private static string Configuration(IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams) => $"""
        bench:
          listen: {listen}
          redis: true
          hash: fnv1a_64
          distribution: ketama
          backlog: 4096
          servers:
        {string.Join('\n', upstreams.Select(static upstream => $"   - {upstream}:1"))}

        """;
}
