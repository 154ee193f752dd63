using System.Net.Sockets;
using MeshL4.TestKit;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>A real program that serves in the background with a folder of its own: nginx, haproxy, redis-server, openssl.</summary>
internal sealed class Peer : IDisposable
{
    private readonly BackgroundProgram _program;

    private Peer(TempFolder folder, string program, string[] arguments, int port, string? ns)
    {
        Folder = folder;
        Port = port;
        string[] command = ns is null ? [program, .. arguments] : ["ip", "netns", "exec", ns, program, .. arguments];
        _program = BackgroundProgram.Start(command);
        Wait.Until(() => Answers(port, ns), () => $"{program} does not listen on {port}. {_program.Said}");
    }

    public TempFolder Folder { get; }

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>redis-server on a port of its own that keeps nothing.</summary>
    /// <param name="options">Further options of its command line.</param>
    public static Peer Redis(params string[] options)
    {
        int port = Ports.Free();
        var folder = new TempFolder();
        string[] own = ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder.Path];
        return new Peer(folder, "redis-server", [.. own, .. options], port, null);
    }

    /// <summary>nginx with these server blocks; <c>@DIR@</c> is its folder. Its log has who called whom.</summary>
    public static Peer Nginx(int port, string servers, string? ns = null)
    {
        var folder = new TempFolder();
        string config = """
            daemon off; worker_processes 1; pid @DIR@/pid; error_log @DIR@/error.log warn; user root;
            events { worker_connections 256; }
            http {
                log_format who '$proxy_protocol_addr:$proxy_protocol_port called $proxy_protocol_server_addr:$proxy_protocol_server_port "$request" $status';
                access_log @DIR@/access.log who;
                client_body_temp_path @DIR@/body; proxy_temp_path @DIR@/proxy; fastcgi_temp_path @DIR@/f; uwsgi_temp_path @DIR@/u; scgi_temp_path @DIR@/s;
                @SERVERS@
            }
            """.Replace("@SERVERS@", servers, StringComparison.Ordinal).Replace("@DIR@", folder.Path, StringComparison.Ordinal);
        return new Peer(folder, "nginx", ["-e", folder.At("error.log"), "-c", folder.Write("nginx.conf", config)], port, ns);
    }

    /// <summary>dnsmasq on port 53 of every address of a namespace; <paramref name="options"/> say what it knows.</summary>
    public static Peer Dns(string ns, params string[] options)
    {
        var folder = new TempFolder();
        string[] own = ["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", $"--pid-file={folder.At("pid")}"];
        return new Peer(folder, "dnsmasq", [.. own, .. options], 53, ns);
    }

    /// <summary>haproxy with this configuration after the global section; <c>@DIR@</c> is its folder.</summary>
    public static Peer Haproxy(int port, string config)
    {
        var folder = new TempFolder();
        string text = "global\n  nbthread 1\ndefaults\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n"
            + config.Replace("@DIR@", folder.Path, StringComparison.Ordinal) + "\n";
        return new Peer(folder, "haproxy", ["-db", "-f", folder.Write("haproxy.cfg", text)], port, null);
    }

    /// <summary>A TLS server that says its name to HTTP requests.</summary>
    public static Peer Tls(string name, string alpn)
    {
        int port = Ports.Free();
        var folder = new TempFolder();
        Run.Must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=" + name,
            "-keyout", folder.At("key.pem"), "-out", folder.At("cert.pem"));
        return new Peer(folder, "openssl", ["s_server", "-accept", $"127.0.0.1:{port}", "-key", folder.At("key.pem"), "-cert", folder.At("cert.pem"), "-alpn", alpn, "-www"], port, null);
    }

    /// <summary>Text of a file of its folder; empty while it is not there.</summary>
    public string Read(string name) => File.Exists(Folder.At(name)) ? File.ReadAllText(Folder.At(name)) : "";

    /// <summary>Sends a signal: <c>STOP</c> freezes it with its connections open, <c>CONT</c> lets it go on, <c>KILL</c> ends it.</summary>
    public void Signal(string name)
    {
        Run.Must("kill", "-" + name, $"{_program.Id}");
        if (name == "KILL")
        {
            _program.ExitCode();
        }
    }

    public void Dispose()
    {
        _program.Dispose();
        Folder.Dispose();
    }

    private static bool Answers(int port, string? ns)
    {
        try
        {
            using Call call = Call.To(port, ns: ns);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
