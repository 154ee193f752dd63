using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>nginx with its stream module: two workers, SO_REUSEPORT, no log; TCP_NODELAY is its default.</summary>
internal sealed class NginxSubject() : Subject("nginx")
{
    private const string Module = "/usr/lib/nginx/modules/ngx_stream_module.so";

    protected override ChildProcess Launch(Workspace workspace, IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams) => ChildProcess.Start(
        "nginx", "-p", workspace.Path, "-e", "stderr", "-c", workspace.Write("nginx.conf", Configuration(workspace, listen, upstreams)));

    private static string Configuration(Workspace workspace, IPEndPoint listen, IReadOnlyList<IPEndPoint> upstreams) => $$"""
        {{(File.Exists(Module) ? $"load_module {Module};" : "")}}
        daemon off;
        worker_processes 2;
        worker_rlimit_nofile 16384;
        error_log stderr crit;
        pid {{workspace.Path}}/nginx-{{listen.Port}}.pid;
        events { worker_connections 12000; }
        stream {
          access_log off;
          upstream bench { {{string.Concat(upstreams.Select(upstream => $"server {upstream}; "))}}}
          server {
            listen {{listen}} reuseport backlog=4096;
            proxy_connect_timeout 5s;
            proxy_timeout 1h;
            proxy_pass bench;
          }
        }

        """;
}
