using System.Net.Sockets;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 13: the client goes, in order or by reset, at a random point before, while and after its upstream connects.</summary>
public sealed class Entry13_ClientLeavesWhileUpstreamConnects
{
    private const int Schedules = 10_000;
    private const int AtOnce = 50;

    [Fact]
    public async Task Clients_LeavingAtRandom_LeaveNothingBehind()
    {
        using Peer echo = Peer.Echo();
        using Peer hanging = Peer.FullBacklog();
        var bootstrap = new Bootstrap();
        bootstrap.Cluster("echo", echo.Address);
        bootstrap.Cluster("hanging", hanging.Address, "0.1s");
        bootstrap.Cluster("refusing", Peer.Refusing());
        int good = bootstrap.Listener("good", Bootstrap.TcpProxy("echo"));
        int[] ports =
        [
            bootstrap.Listener("tcp", Bootstrap.TcpProxy("echo")),
            bootstrap.Listener("hangs", Bootstrap.TcpProxy("hanging")),
            bootstrap.Listener("refuses", Bootstrap.TcpProxy("refusing")),
            bootstrap.Listener("redis", Bootstrap.RedisProxy("hanging")),
            bootstrap.Listener("sniffs", Bootstrap.TcpProxy("echo"), $", listener_filters: [{Bootstrap.TlsInspector}, {Bootstrap.HttpInspector}]"),
        ];
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        int sockets = await proxy.SocketsAtRestAsync();
        using Client witness = await Client.ConnectAsync(good);
        int next = 0;
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async seed =>
        {
            var random = new Random(seed);
            while (Interlocked.Increment(ref next) <= Schedules)
            {
                await LeaveAsync(ports[random.Next(ports.Length)], random);
            }
        }));

        (await witness.EchoAsync("still here")).ShouldBe("still here");
        witness.Dispose();
        await proxy.ReturnsToAsync(sockets);
        await Patience.UntilAsync(() => proxy.Records().Count >= Schedules + 1, "every connection has its record", () => $"{proxy.Records().Count}");
        IReadOnlyList<AccessRecord> records = proxy.Records();
        records.Count.ShouldBe(Schedules + 1);
        records.SelectMany(static r => r.Flags.Split(',')).Distinct().ShouldBeSubsetOf(["-", "UF", "DC", "UC"]);
        records.Where(r => r.Flags != "-").ShouldAllBe(r => r.Details != "-");
        (await proxy.StatAsync("meshl4.loop_faults")).ShouldBe(0);
    }

    private static async Task LeaveAsync(int port, Random random)
    {
        Client client;
        try
        {
            client = await Client.ConnectAsync(port);
        }
        catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
        {
            // The proxy took it and ended it (its upstream refuses) before this thread heard that it was connected.
            return;
        }

        if (random.Next(2) == 0)
        {
            await client.SendAsync("*1\r\n$4\r\nPING\r\n");
        }

        if (random.Next(4) == 0)
        {
            client.EndSending();
        }

        for (int i = random.Next(3); i > 0; i--)
        {
            await Task.Yield();
        }

        if (random.Next(2) == 0)
        {
            client.Reset();
        }
        else
        {
            client.Dispose();
        }
    }
}
