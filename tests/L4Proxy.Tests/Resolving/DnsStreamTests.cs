using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Resolving;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.L4Proxy.Tests.Resolving.Messages;

namespace MeshL4.L4Proxy.Tests.Resolving;

/// <summary>Clients over TCP: many, slow, torn, never reading.</summary>
public sealed class DnsStreamTests
{
    private const string Web = "web.ns.svc.cluster.local";

    // Counted from when the proxy accepts: on a busy machine the client may learn of that seconds later.
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(5);

    [Fact]
    public async Task Ask_SeveralInOneGo_AreAnsweredInOrder()
    {
        using var dns = new DnsFixture(new DnsProxyConfig());
        using TcpClient client = await ConnectAsync(dns);
        await client.GetStream().WriteAsync((byte[])[.. Enumerable.Range(1, 50).SelectMany(i => DnsFixture.Framed(Question(Web, id: (ushort)i)))]);
        for (int i = 1; i <= 50; i++)
        {
            DnsMessage.Id(await DnsFixture.ReadAsync(client.GetStream())).ShouldBe((ushort)i);
        }
    }

    [Fact]
    public async Task Ask_ByteByByte_IsAnswered()
    {
        using var dns = new DnsFixture(new DnsProxyConfig());
        using TcpClient client = await ConnectAsync(dns);
        client.NoDelay = true;
        foreach (byte one in DnsFixture.Framed(Question(Web)))
        {
            await client.GetStream().WriteAsync((byte[])[one]);
        }

        Answers(await DnsFixture.ReadAsync(client.GetStream())).ShouldBe(3);
        client.Dispose();
        await dns.AtRestAsync();
    }

    [Theory]
    [InlineData(new byte[] { 0, 0 })]
    [InlineData(new byte[] { 0, 11 })]
    [InlineData(new byte[] { 0xFF, 0xFF })]
    public async Task Ask_LengthThatCannotBe_EndsTheConnection(byte[] prefix)
    {
        using var dns = new DnsFixture(new DnsProxyConfig());
        using TcpClient client = await ConnectAsync(dns);
        await client.GetStream().WriteAsync(prefix);
        (await client.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(Patience.Limit)).ShouldBe(0);
        await dns.AtRestAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(10)]
    public async Task Ask_SlowerThanAllowed_EndsTheConnection(int sent)
    {
        using var dns = new DnsFixture(new DnsProxyConfig { TcpIdleTimeout = Idle });
        using TcpClient client = await ConnectAsync(dns);
        await client.GetStream().WriteAsync(DnsFixture.Framed(Question(Web)).AsMemory(0, sent));
        await EndsAsync(client);
        await Patience.UntilAsync(() => Volatile.Read(ref dns.Counters.TcpActive) == 0, "it is over");
        dns.Counters.TcpTimeouts.ShouldBe(1);
        await dns.AtRestAsync();
    }

    [Fact]
    public async Task Ask_WhoNeverReads_IsCutOff()
    {
        using var dns = new DnsFixture(new DnsProxyConfig { TcpIdleTimeout = Idle });
        dns.Apply(NameIndexTests.Host("many.example", "", [.. Enumerable.Range(0, 2000).Select(i => $"10.2.{i / 250}.{i % 250}")]));
        using TcpClient client = await ConnectAsync(dns);
        client.ReceiveBufferSize = 4096;
        byte[] questions = [.. Enumerable.Range(1, 2000).SelectMany(i => DnsFixture.Framed(Question("many.example")))];
        await client.GetStream().WriteAsync(questions).AsTask().WaitAsync(Patience.Limit);
        await Patience.UntilAsync(() => Volatile.Read(ref dns.Counters.TcpActive) == 0, "it is over");
        dns.Counters.TcpTimeouts.ShouldBe(1);
        await dns.AtRestAsync();
    }

    [Fact]
    public async Task Connect_MoreThanAllowed_AreTurnedAway_AndPlacesComeBack()
    {
        using var dns = new DnsFixture(new DnsProxyConfig { MaxTcpConnections = 2 });
        using TcpClient first = await ConnectAsync(dns), second = await ConnectAsync(dns);
        await Patience.UntilAsync(() => Volatile.Read(ref dns.Counters.TcpActive) == 2, "two are in");
        using TcpClient third = new();
        try
        {
            await third.ConnectAsync(dns.Address);
            await EndsAsync(third);
        }
        catch (SocketException)
        {
            // Turned away before connecting was over.
        }

        dns.Counters.TcpRefused.ShouldBe(1);
        first.Dispose();
        await Patience.UntilAsync(() => Volatile.Read(ref dns.Counters.TcpActive) == 1, "one left");
        Answers(await dns.AskOverTcpAsync(Question(Web))).ShouldBe(3);
    }

    [Fact]
    public async Task Ask_OtherName_IsAskedForOverTcpToo()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        using var dns = new DnsFixture(new DnsProxyConfig { Upstreams = [(IPEndPoint)server.LocalEndpoint] });
        Task<byte[]> asked = dns.AskOverTcpAsync(Question("big.example", id: 99));
        using TcpClient proxy = await server.AcceptTcpClientAsync().WaitAsync(Patience.Limit);
        byte[] question = await DnsFixture.ReadAsync(proxy.GetStream());
        byte[] answer = Answer(question, 0, [.. Enumerable.Repeat(Address(9, 9, 9, 9), 3000)]);
        await proxy.GetStream().WriteAsync(DnsFixture.Framed(answer));
        byte[] got = await asked;
        (DnsMessage.Id(got), got.Length).ShouldBe(((ushort)99, answer.Length));
        await dns.AtRestAsync();
    }

    [Theory]
    [InlineData("closes")]
    [InlineData("lies")]
    [InlineData("is silent")]
    public async Task Ask_ServerThatFails_IsAFailureInTime(string how)
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();

        // Only a silent one is given up by the time; and the question has to come before it is over, on a busy machine too.
        var config = new DnsProxyConfig { Upstreams = [(IPEndPoint)server.LocalEndpoint] };
        using var dns = new DnsFixture(how == "is silent" ? config with { QueryTimeout = TimeSpan.FromSeconds(4) } : config);
        Task<byte[]> asked = dns.AskOverTcpAsync(Question("big.example", id: 99));
        using TcpClient proxy = await server.AcceptTcpClientAsync().WaitAsync(Patience.Limit);
        byte[] question = await DnsFixture.ReadAsync(proxy.GetStream());
        if (how == "closes")
        {
            proxy.Dispose();
        }
        else if (how == "lies")
        {
            question[13] ^= 1;
            await proxy.GetStream().WriteAsync(DnsFixture.Framed(Answer(question)));
        }

        byte[] got = await asked;
        (DnsMessage.Id(got), Code(got)).ShouldBe(((ushort)99, DnsMessage.ServerFailure));
        await dns.AtRestAsync();
    }

    private static async Task<TcpClient> ConnectAsync(DnsFixture dns)
    {
        var client = new TcpClient();
        await client.ConnectAsync(dns.Address);
        return client;
    }

    /// <summary>The proxy closes, or resets: reading comes to an end either way.</summary>
    private static async Task EndsAsync(TcpClient client)
    {
        byte[] buffer = new byte[65536];
        try
        {
            while (await client.GetStream().ReadAsync(buffer).AsTask().WaitAsync(Patience.Limit) > 0)
            {
            }
        }
        catch (IOException)
        {
            // A reset.
        }
    }
}
