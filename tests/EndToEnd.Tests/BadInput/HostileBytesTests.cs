using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Garbage, truncated, oversized and one-byte-at-a-time input on every kind of listener.</summary>
public sealed class HostileBytesTests
{
    private static readonly byte[][] Corpus =
    [
        RandomNumberGenerator.GetBytes(3000),
        new byte[100_000],
        [0xff],
        "*2000000000\r\n"u8.ToArray(),
        "*1\r\n$2147483647\r\nx"u8.ToArray(),
        "GET \"x\\x4\"\r\n"u8.ToArray(),
        [0x16, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff],
        [0x16, 3, 1, 0, 0],
        Encoding.Latin1.GetBytes("GET /" + new string('a', 70_000)),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n"u8.ToArray(),
        "PROXY TCP4 1.1.1.1"u8.ToArray(),
        "\r\n\r\n\0\r\nQUIT\n"u8.ToArray(),
    ];

    [Theory]
    [InlineData("tcp", "")]
    [InlineData("http", "GET / HTTP/1.1\r\n\r\n")]
    [InlineData("sniff", "\u0001")]
    [InlineData("proxy", "PROXY UNKNOWN\r\n")]
    public async Task Bytes_OfEveryKind_EndTheirConnectionOnly(string kind, string beginning)
    {
        using TestKit.Peer echo = TestKit.Peer.Echo();
        await using Bench bench = await Bench.StartAsync(b => b.Cluster("bad", echo.Address));
        using Client beside = await Client.ConnectAsync(bench.Port(kind));
        await beside.SendAsync(beginning + "begun");
        for (string echoed = ""; !echoed.EndsWith("begun", StringComparison.Ordinal);)
        {
            string next = await beside.ReadAsync("?");
            next.ShouldNotBeEmpty(echoed);
            echoed += next;
        }

        int connections = 2;
        foreach (byte[] bytes in Corpus)
        {
            foreach (int piece in new[] { int.MaxValue, 1 })
            {
                using Client client = await Client.ConnectAsync(bench.Port(kind));
                Task<(byte[] Bytes, bool Reset)> reading = client.ReadToEndAsync();
                await client.SendAsync(piece == 1 ? bytes.AsMemory(0, Math.Min(bytes.Length, 300)) : bytes, piece);
                client.EndSending();
                await reading;
                AccessRecord record = await bench.Proxy.RecordOfAsync(client.Address);
                (record.Flags == "-" || record.Details != "-").ShouldBeTrue(record.ToString());
                connections++;
            }

            await bench.WitnessAsync();
            (await beside.EchoAsync("beside")).ShouldBe("beside");
        }

        beside.Dispose();
        await FinishAsync(bench, connections);
    }

    /// <summary>Those who say it share a connection to the server with a witness, whose request is in flight on it meanwhile.</summary>
    [Fact]
    public async Task BytesToRedis_OfEveryKind_EndTheirConnectionOnly()
    {
        using Behaviours.Stage.Peer redis = Behaviours.Stage.Peer.Redis();
        await using Bench bench = await Bench.StartAsync(b => b.Cluster("bad", new IPEndPoint(IPAddress.Loopback, redis.Port)));
        using var witness = new RedisWitness(bench.Port("redis"), redis.Port);
        int connections = 2;
        foreach (byte[] bytes in Corpus)
        {
            Call[] clients = [Call.To(bench.Port("redis")), Call.To(bench.Port("redis"))];
            witness.Beside(() =>
            {
                Say(clients[0], bytes, bytes.Length);
                Say(clients[1], bytes.AsSpan(0, Math.Min(bytes.Length, 300)), 1);

                // The loop has them behind it when it answers who came later.
                Call.Ask(bench.Port("redis"), "PING").ShouldBe("+PONG");
            });
            foreach (Call client in clients)
            {
                client.Ends().ShouldBeTrue();
                AccessRecord record = await bench.Proxy.RecordOfAsync(client.Local);
                (record.Flags == "-" || record.Details != "-").ShouldBeTrue(record.ToString());
                client.Dispose();
            }

            connections += clients.Length + 1;
        }

        witness.Dispose();
        await FinishAsync(bench, connections);
    }

    /// <summary>All of it, or as much as is taken, and no more.</summary>
    private static void Say(Call client, ReadOnlySpan<byte> bytes, int pieceLength)
    {
        try
        {
            for (; !bytes.IsEmpty; bytes = bytes[pieceLength..])
            {
                client.Stream.Write(bytes[..pieceLength]);
            }

            client.Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // Refused half-way: the record tells why.
        }
    }

    private static async Task FinishAsync(Bench bench, int connections)
    {
        await bench.FinishAsync();
        await Patience.UntilAsync(() => bench.Proxy.Records().Count >= connections, "every connection has its record");
        bench.Proxy.Records().Count.ShouldBe(connections);
        (await bench.Proxy.StopAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task RedisError_WithMoreBytesUnread_ArrivesBeforeTheEnd()
    {
        using TestKit.Peer echo = TestKit.Peer.Echo();
        await using Bench bench = await Bench.StartAsync(b => b.Cluster("bad", echo.Address));
        using Client client = await Client.ConnectAsync(bench.Port("redis"));

        await client.SendAsync((byte[])[.. "*x\r\n"u8, .. new byte[200_000]]);

        (byte[] bytes, bool reset) = await client.ReadToEndAsync();
        Encoding.Latin1.GetString(bytes).ShouldStartWith("-ERR Protocol error");
        reset.ShouldBeFalse();
        client.Dispose();
        AccessRecord record = await bench.Proxy.RecordOfAsync(client.Address);
        (record.Flags, record.By).ShouldBe(("DPE", "proxy"));
        await bench.FinishAsync();
    }

    [Fact]
    public async Task Descriptors_WhenExhausted_AreWaitedForAndConnectionsGoOn()
    {
        using TestKit.Peer echo = TestKit.Peer.Echo();
        await using Bench bench = await Bench.StartAsync(
            b => b.Cluster("bad", echo.Address), "prlimit", "--nofile=200:200");
        List<Client> crowd = [];
        for (int i = 0; i < 300; i++)
        {
            crowd.Add(await Client.ConnectAsync(bench.Port("tcp")));
        }

        // More clients than descriptors: accepting pauses, the admin still answers, and the witness does not notice.
        await Patience.UntilAsync(
            async () => await bench.Proxy.StatAsync("meshl4.accept_descriptors_exhausted") > 0, "accepting pauses", () => bench.Proxy.Said);
        await bench.WitnessAsync();
        await bench.Proxy.RestsAsync(TimeSpan.FromSeconds(0.5), fewTicks: 25);
        crowd.ForEach(static c => c.Dispose());
        await bench.FinishAsync();
    }
}
