using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.TestKit;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>The same commands to two fresh servers, one of them behind the proxy: every byte of the answers is the same.</summary>
public sealed class RedisDifferentialTests
{
    private const int Commands = 400;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Answers_ThroughTheProxy_AreThoseWithoutIt(int seed)
    {
        byte[][] commands = [.. RandomCommands(seed)];
        using Process direct = Serve(out IPEndPoint alone);
        using Process behind = Serve(out IPEndPoint hidden);
        try
        {
            var bootstrap = new Bootstrap();
            bootstrap.Cluster("redis", hidden);
            int port = bootstrap.Listener("in", Bootstrap.XRpcProxy("redis", "{forward: {cluster: redis}}"));
            await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
            (await DifferentialRun<RespCodec>.CheckAsync(alone, new IPEndPoint(IPAddress.Loopback, port), commands, Patience.Limit * 3)).ShouldBe(Commands);
        }
        finally
        {
            direct.Kill();
            behind.Kill();
        }
    }

    private static IEnumerable<byte[]> RandomCommands(int seed)
    {
        var random = new Random(seed);
        string Key() => $"k{random.Next(8)}";
        string Text() => string.Concat(Enumerable.Repeat("a\r\n*1$", random.Next(6))) + random.Next(100);
        for (int i = 0; i < Commands; i++)
        {
            string[] words = random.Next(14) switch
            {
                0 => ["SET", Key(), Text()],
                1 => ["GET", Key()],
                2 => ["INCR", Key()],
                3 => ["LPUSH", "l" + Key(), Text(), Text()],
                4 => ["LRANGE", "l" + Key(), "0", "-1"],
                5 => ["HSET", "h" + Key(), "f", Text()],
                6 => ["HGETALL", "h" + Key()],
                7 => ["MGET", Key(), Key(), Key()],
                8 => ["DEL", Key(), Key()],
                9 => ["NOSUCHCOMMAND", Key()],
                10 => ["EVAL", "return {1,{2,KEYS[1]},'x'}", "1", Key()],
                11 => ["SET", Key(), new string('v', random.Next(200_000))],
                12 => ["GET"],
                _ => ["PING", Text()],
            };
            yield return Encoding.Latin1.GetBytes($"*{words.Length}\r\n{string.Concat(words.Select(static word => $"${word.Length}\r\n{word}\r\n"))}");
        }
    }

    private static Process Serve(out IPEndPoint endpoint)
    {
        endpoint = new IPEndPoint(IPAddress.Loopback, Bootstrap.FreePort());
        string port = endpoint.Port.ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo("redis-server", ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]) { RedirectStandardOutput = true };
        Process server = Process.Start(start)!;
        for (int attempt = 0; attempt < 400; attempt++)
        {
            try
            {
                using var probe = new TcpClient();
                probe.Connect(endpoint);
                return server;
            }
            catch (SocketException) when (!server.HasExited)
            {
                Thread.Sleep(50);
            }
        }

        server.Kill();
        throw new InvalidOperationException("redis-server does not come up");
    }
}
