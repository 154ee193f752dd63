using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 16: names a client makes up filled the memory of the metrics, and a page or a service of the pod shut the proxy down.</summary>
public sealed class Entry16_NamesInMetrics
{
    private const int MadeUp = 5000;

    [Theory]
    [InlineData("{0} k")]
    [InlineData("AUTH {0} pass")]
    [InlineData("CLIENT {0}")]
    [InlineData("GET {0}")]
    [InlineData("PUBLISH {0} x")]
    public void MadeUpNames_MakeNoMetric(string command)
    {
        using var front = new RedisFront();
        using Call client = Call.To(front.Port);
        client.Ask(Named(command, 0)).ShouldNotBeNull();
        int before = Lines(front);
        for (int batch = 0; batch < MadeUp; batch += 100)
        {
            client.Send(string.Concat(Enumerable.Range(batch, 100).Select(i => Named(command, i) + "\r\n")));
            for (int i = 0; i < 100; i++)
            {
                client.ReadLine().ShouldNotBeNull();
            }
        }

        front.Proxy.Stat("redis.r.downstream_rq_total").ShouldBeGreaterThan(MadeUp);
        (Lines(front) - before).ShouldBeLessThan(20);
        foreach (string page in (string[])["/stats", "/stats/prometheus", "/clusters"])
        {
            front.Proxy.Get(page).ShouldNotContain("MADEUP", Case.Insensitive);
        }
    }

    [Fact]
    public void MadeUpCommands_CountAsOther()
    {
        using var front = new RedisFront();
        using Call client = Call.To(front.Port);
        for (int i = 0; i < 100; i++)
        {
            client.Ask(Named("{0} k", i)).ShouldStartWith("-ERR unknown command");
        }

        front.Proxy.Stat("redis.r.command.other.total").ShouldBe(100);
    }

    [Fact]
    public void MadeUpCommands_HaveOneMethodInTheCodec()
    {
        for (int i = 0; i < MadeUp; i++)
        {
            RespCodec codec = RespCodec.Start(Side.Downstream, CodecLimits.Default);
            var head = default(FrameHead);
            codec.Scan(System.Text.Encoding.ASCII.GetBytes(RedisFront.Command($"MADEUP{i}")), ref head, out _).ShouldBe(ScanStatus.Done);
            RespCodec.Traits.Methods[head.Method].ShouldBe("other");
        }
    }

    [Fact]
    public void Quit_IsOffByDefault()
    {
        using var front = new RedisFront();
        Post(front, "/quitquitquit").ShouldBe(403);
        Status(front, "GET", "/quitquitquit").ShouldBe(400);
        front.Witness();
        front.Proxy.Status("/ready").ShouldBe(200);
    }

    /// <summary>Switched on, it takes a POST to this machine, from no page of a browser, and nothing else.</summary>
    [Fact]
    public void Quit_SwitchedOn_TakesNoGetNoForeignHostAndNoOrigin()
    {
        using RedisFront front = RedisFront.Common(
            "", new Boot { PublicPorts = true }.Extension("ProxyOptions", "readiness_port: 0, prometheus_port: 0, enable_quit: true"));
        foreach (string path in (string[])["/quitquitquit", "/drain_listeners", "/logging?level=debug"])
        {
            Status(front, "GET", path).ShouldBe(400, path);
            Post(front, path, "evil.example").ShouldBe(403, path);
            Post(front, path, "127.0.0.1.evil.example").ShouldBe(403, path);
            Post(front, path, "169.254.169.254").ShouldBe(403, path);
            Post(front, path, "localhost", "Origin: http://localhost\r\n").ShouldBe(403, path);
            Post(front, path, "localhost", "Origin: null\r\n").ShouldBe(403, path);
            front.Witness();
        }

        Post(front, "/quitquitquit").ShouldBe(200);
        front.Proxy.ExitCode().ShouldBe(0);
    }

    /// <summary>The admin port is on one address of loopback; the pod's others, where its services call each other, have none.</summary>
    [Fact]
    public void Admin_IsOnItsOwnAddressOnly()
    {
        using var front = new RedisFront();
        foreach (string address in (string[])["127.0.0.2", .. Run.Must("hostname", "-I").Split(' ', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)])
        {
            Should.Throw<SocketException>(() => Call.To(front.Proxy.AdminPort, address), address);
        }

        front.Proxy.Status("/ready").ShouldBe(200);
    }

    private static string Named(string command, int i) => command.Replace("{0}", $"MADEUP{i}X", StringComparison.Ordinal);

    private static int Lines(RedisFront front) => front.Proxy.Get("/stats").Split('\n').Length;

    private static int Post(RedisFront front, string path, string host = "127.0.0.1", string headers = "") => Status(front, "POST", path, host, headers);

    private static int Status(RedisFront front, string method, string path, string host = "127.0.0.1", string headers = "")
    {
        using Call call = Call.To(front.Proxy.AdminPort);
        call.Send($"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
        return int.Parse(call.ReadLine()!.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}
