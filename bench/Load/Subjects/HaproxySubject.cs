using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>haproxy, mode tcp, two threads, no log; it sets TCP_NODELAY by itself.</summary>
internal sealed class HaproxySubject(string name, bool splice) : Subject(name)
{
    protected override ChildProcess Launch(Workspace workspace, IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams) =>
        ChildProcess.Start("haproxy", "-db", "-f", workspace.Write("haproxy.cfg", Configuration(listen, upstreams)));

    private string Configuration(IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams) => $"""
        global
          nbthread 2
          maxconn 5500
        defaults
          mode tcp
          timeout connect 5s
          timeout client 1h
          timeout server 1h
          {(splice ? "option splice-auto" : "no option splice-auto")}
        listen bench
          bind {listen} backlog 4096
          balance roundrobin
        {string.Join('\n', upstreams.Select((upstream, index) => $"  server s{index} {upstream}"))}

        """;
}
