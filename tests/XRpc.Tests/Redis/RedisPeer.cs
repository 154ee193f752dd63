using System.Diagnostics;
using System.Net.Sockets;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>A real redis-server of this test's own, on a Unix socket.</summary>
internal sealed class RedisPeer : IDisposable
{
    private readonly Process _server;
    private readonly string _directory = Directory.CreateTempSubdirectory("redis").FullName;
    private readonly RedisLink _link;

    public RedisPeer(params string[] options)
    {
        string path = Path.Combine(_directory, "socket");
        string[] arguments = ["--port", "0", "--unixsocket", path, "--dir", _directory, "--save", "", "--enable-debug-command", "yes", .. options];
        _server = Process.Start(new ProcessStartInfo("redis-server", arguments) { RedirectStandardOutput = true })!;
        _link = Open();
    }

    /// <summary>Sends words as a command on this peer's own connection, and gives the whole reply.</summary>
    public byte[] Ask(params string[] words) => _link.Exchange(RedisLink.Frame(words));

    /// <summary>Another connection.</summary>
    public RedisLink Open()
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return new RedisLink(Path.Combine(_directory, "socket"));
            }
            catch (SocketException) when (attempt < 1200 && !_server.HasExited)
            {
                Thread.Sleep(50);
            }
        }
    }

    public void Dispose()
    {
        _link.Dispose();
        _server.Kill();
        _server.WaitForExit();
        _server.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
