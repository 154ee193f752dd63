using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Requests forwarded while they arrive, whose server does not wait for their end: their connection is theirs until then.</summary>
public sealed class RedisStreamedFrameTests : IAsyncLifetime
{
    private const int ValueBytes = 300_000;

    private static readonly byte[] Get = [.. "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"u8];

    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _limit = new(Patience.Limit);
    private ProxyProcess? _proxy;

    /// <summary>Lent to the next client, the connection would have its request in the middle of another.</summary>
    [Fact]
    public async Task LongRequest_AnsweredBeforeItsEnd_SharesItsConnectionWithNobody()
    {
        int port = await StartAsync("{forward: {cluster: main}}");
        using TcpClient early = await ConnectAsync(port);
        using TcpClient other = await ConnectAsync(port);
        (byte[] one, byte[] two) = (Set('a'), Set('b'));

        await early.GetStream().WriteAsync(one.AsMemory(0, ValueBytes / 2));
        using TcpClient first = await _server.AcceptTcpClientAsync(_limit.Token);
        await IsReadAsync(first, one[..100_000]);
        await first.GetStream().WriteAsync("+OK\r\n"u8.ToArray());
        await IsReadAsync(early, "+OK\r\n"u8.ToArray());
        await other.GetStream().WriteAsync(two);
        await Patience.UntilAsync(async () => await _proxy!.StatAsync("redis.redis.command.set.total") == 2, "the other request is sent", () => _proxy!.Said);
        await early.GetStream().WriteAsync(one.AsMemory(ValueBytes / 2));

        await IsReadAsync(first, one[100_000..]);
        using TcpClient second = await _server.AcceptTcpClientAsync(_limit.Token);
        await IsReadAsync(second, two);
        await second.GetStream().WriteAsync("+OK\r\n"u8.ToArray());
        await IsReadAsync(other, "+OK\r\n"u8.ToArray());

        // With its frame whole the connection is as any that was given back.
        await other.GetStream().WriteAsync(two);
        await IsReadAsync(first, two);
        _server.Pending().ShouldBeFalse();
    }

    /// <summary>Its connection is closed then: the rest goes nowhere, and what is behind it is served.</summary>
    [Fact]
    public async Task LongRequest_WhoseTimeIsOverBeforeItsEnd_IsReadToItsEnd()
    {
        int port = await StartAsync("{match: {key_prefix: a}, forward: {cluster: main}, policies: {timeout: 0.5s}}, {forward: {cluster: main}}");
        using TcpClient client = await ConnectAsync(port);
        byte[] request = Set('a', 20 * ValueBytes);

        await client.GetStream().WriteAsync(request.AsMemory(0, ValueBytes));
        using TcpClient first = await _server.AcceptTcpClientAsync(_limit.Token);
        using var reader = new StreamReader(client.GetStream(), Encoding.Latin1, leaveOpen: true);
        (await reader.ReadLineAsync(_limit.Token))!.ShouldStartWith("-ERR MeshL4:");
        await client.GetStream().WriteAsync((byte[])[.. request[ValueBytes..], .. Get], _limit.Token);

        using TcpClient second = await _server.AcceptTcpClientAsync(_limit.Token);
        await IsReadAsync(second, Get);
        await second.GetStream().WriteAsync("$-1\r\n"u8.ToArray());
        (await reader.ReadLineAsync(_limit.Token)).ShouldBe("$-1");
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }

        _server.Dispose();
        _limit.Dispose();
    }

    private static byte[] Set(char letter, int bytes = ValueBytes) => Encoding.ASCII.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"*3\r\n$3\r\nSET\r\n$1\r\n{letter}\r\n${bytes}\r\n{new string(letter, bytes)}\r\n"));

    private static async Task<TcpClient> ConnectAsync(int port)
    {
        var client = new TcpClient(AddressFamily.InterNetwork);
        await client.ConnectAsync(IPAddress.Loopback, port);
        return client;
    }

    /// <summary>What comes next, and nothing else.</summary>
    private async Task IsReadAsync(TcpClient by, byte[] expected)
    {
        byte[] bytes = new byte[expected.Length];
        await by.GetStream().ReadExactlyAsync(bytes, _limit.Token);
        bytes.AsSpan().SequenceEqual(expected).ShouldBeTrue();
    }

    /// <summary>Clients meet on one loop.</summary>
    private async Task<int> StartAsync(string routes)
    {
        _server.Start();
        var bootstrap = new Bootstrap { Concurrency = 1 };
        bootstrap.Cluster("main", _server.LocalEndpoint);
        int port = bootstrap.Listener("in", Bootstrap.XRpcProxy("redis", routes));
        _proxy = await ProxyProcess.StartAsync(bootstrap);
        return port;
    }
}
