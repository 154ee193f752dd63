using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>The time of requests that wait for answers to others on the same connection, whose server goes on, or seems to.</summary>
public sealed class OrderedTimeTests : IAsyncLifetime
{
    private const string Timeout = ", policies: {timeout: 5s}";

    private static readonly byte[] Get = [.. "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"u8];

    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _limit = new(Patience.Limit);
    private ProxyProcess? _proxy;

    /// <summary>Bytes that bring no answer nearer, or hardly, keep nobody waiting, and the connection has no new requests.</summary>
    [Theory]
    [InlineData("$100000\r\n", "x")]
    [InlineData("", ">2\r\n$4\r\nnews\r\n$1\r\nx\r\n")]
    public async Task ServerThatSendsAByteNowAndThen_CostsThoseBehindItTheirTime_AndIsLeft(string begin, string again)
    {
        int port = await StartAsync(Bootstrap.XRpcProxy("redis", "{forward: {cluster: main}}", ", policies: {timeout: 3s}"));
        using TcpClient first = await ConnectAsync(port);
        await first.GetStream().WriteAsync(Get, _limit.Token);
        using TcpClient slow = await AcceptAsync(1);
        using TcpClient behind = await ConnectAsync(port);
        await behind.GetStream().WriteAsync(Get, _limit.Token);
        await ReadRequestsAsync(slow, 1);
        await slow.GetStream().WriteAsync(Encoding.ASCII.GetBytes(begin), _limit.Token);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_limit.Token);
        Task drips = RepeatAsync(slow, Encoding.ASCII.GetBytes(again), end.Token);

        (await LineAsync(behind)).ShouldStartWith("-ERR MeshL4:");

        using TcpClient late = await ConnectAsync(port);
        await late.GetStream().WriteAsync(Get, _limit.Token);
        using TcpClient next = await AcceptAsync(1);
        await next.GetStream().WriteAsync("+here\r\n"u8.ToArray(), _limit.Token);
        (await LineAsync(late)).ShouldBe("+here");
        await end.CancelAsync();
        await drips;
    }

    [Fact]
    public async Task RequestBehindALongAnswerThatFlows_WaitsForIt()
    {
        int port = await StartAsync(Bootstrap.XRpcProxy("redis", "{forward: {cluster: main}}", Timeout));
        using TcpClient first = await ConnectAsync(port);
        await first.GetStream().WriteAsync(Get, _limit.Token);
        using TcpClient server = await AcceptAsync(1);
        using TcpClient behind = await ConnectAsync(port);
        await behind.GetStream().WriteAsync(Get, _limit.Token);
        await ReadRequestsAsync(server, 1);

        const int Parts = 48;
        byte[] part = new byte[128 * 1024];
        Task<long> taken = DrainAsync(first, (Parts * part.Length) + 12);
        await server.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"${Parts * part.Length}\r\n"), _limit.Token);
        for (int i = 0; i < Parts; i++)
        {
            await Task.Delay(150, _limit.Token);
            await server.GetStream().WriteAsync(part, _limit.Token);
        }

        await server.GetStream().WriteAsync("\r\n+behind\r\n"u8.ToArray(), _limit.Token);
        (await LineAsync(behind)).ShouldBe("+behind");
        (await taken).ShouldBe((Parts * part.Length) + 12);
    }

    /// <summary><c>timeout</c> is of the request; Envoy's <c>op_timeout</c>, by its documentation, of the answer since the one before it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnswersThatComeOneByOne_KeepUpOpTimeout_AndNotTimeout(bool isEnvoys)
    {
        int port = await StartAsync(isEnvoys ? Bootstrap.RedisProxy("main", "5s") : Bootstrap.XRpcProxy("redis", "{forward: {cluster: main}}", Timeout));
        using TcpClient client = await ConnectAsync(port);
        const int Requests = 6;
        await client.GetStream().WriteAsync((byte[])[.. Enumerable.Repeat(Get, Requests).SelectMany(static one => one)], _limit.Token);
        using TcpClient server = await AcceptAsync(Requests);
        Task answers = Task.Run(async () =>
        {
            try
            {
                for (int i = 0; i < Requests; i++)
                {
                    await Task.Delay(1100, _limit.Token);
                    await server.GetStream().WriteAsync("+here\r\n"u8.ToArray(), _limit.Token);
                }
            }
            catch (IOException)
            {
                // Nobody waits here any more.
            }
        });

        using var reader = new StreamReader(client.GetStream(), Encoding.Latin1, leaveOpen: true);
        var lines = new List<string>();
        for (int i = 0; i < Requests; i++)
        {
            lines.Add((await reader.ReadLineAsync(_limit.Token))!);
        }

        if (isEnvoys)
        {
            lines.ShouldAllBe(static line => line == "+here");
        }
        else
        {
            lines[^1].ShouldStartWith("-ERR MeshL4:");
        }

        await answers;
    }

    /// <summary>Nobody waits there but for those whose time is over.</summary>
    [Fact]
    public async Task ServerThatNeverAnswersALogin_IsLeft()
    {
        int port = await StartAsync(Bootstrap.XRpcProxy(
            "redis", "{forward: {cluster: main}}", ", policies: {timeout: 1s}, upstream: {credentials: {password: {inline_string: secret}}}"));
        using TcpClient client = await ConnectAsync(port);
        await client.GetStream().WriteAsync(Get, _limit.Token);
        using TcpClient server = await _server.AcceptTcpClientAsync(_limit.Token);

        (await LineAsync(client)).ShouldStartWith("-ERR MeshL4:");

        (await EndsAsync(server)).ShouldBeTrue();
    }

    /// <summary>A subscriber has no time of its own: it waits for the login, which has that of connecting.</summary>
    [Fact]
    public async Task ServerThatNeverAnswersALogin_IsNotWaitedForBySubscribers()
    {
        int port = await StartAsync(Bootstrap.XRpcProxy("redis", "{forward: {cluster: main}}", ", upstream: {credentials: {password: {inline_string: secret}}}"), "2s");
        using TcpClient client = await ConnectAsync(port);
        await client.GetStream().WriteAsync("SUBSCRIBE c\r\n"u8.ToArray(), _limit.Token);
        using TcpClient server = await _server.AcceptTcpClientAsync(_limit.Token);

        (await LineAsync(client)).ShouldStartWith("-ERR MeshL4:");

        (await EndsAsync(server)).ShouldBeTrue();
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

    private static async Task<TcpClient> ConnectAsync(int port)
    {
        var client = new TcpClient(AddressFamily.InterNetwork);
        await client.ConnectAsync(IPAddress.Loopback, port);
        return client;
    }

    /// <summary>Sends the same until it is told to stop, or is left.</summary>
    private static async Task RepeatAsync(TcpClient to, byte[] bytes, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await to.GetStream().WriteAsync(bytes, stop);
                await Task.Delay(50, stop);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // As it should be.
        }
    }

    /// <summary>The next connection of the proxy, with its first requests read.</summary>
    private async Task<TcpClient> AcceptAsync(int requests)
    {
        TcpClient server = await _server.AcceptTcpClientAsync(_limit.Token);
        await ReadRequestsAsync(server, requests);
        return server;
    }

    private async Task ReadRequestsAsync(TcpClient server, int requests) => await server.GetStream().ReadExactlyAsync(new byte[requests * Get.Length], _limit.Token);

    private async Task<bool> EndsAsync(TcpClient server)
    {
        try
        {
            await DrainAsync(server, long.MaxValue);
        }
        catch (IOException)
        {
            // With a reset.
        }

        return true;
    }

    private async Task<string> LineAsync(TcpClient client)
    {
        using var reader = new StreamReader(client.GetStream(), Encoding.Latin1, leaveOpen: true);
        return await reader.ReadLineAsync(_limit.Token) ?? "";
    }

    private async Task<long> DrainAsync(TcpClient client, long most)
    {
        byte[] buffer = new byte[256 * 1024];
        long taken = 0;
        while (taken < most && await client.GetStream().ReadAsync(buffer, _limit.Token) is var count and > 0)
        {
            taken += count;
        }

        return taken;
    }

    /// <summary>Clients meet on one loop.</summary>
    private async Task<int> StartAsync(string filter, string connectTimeout = "10s")
    {
        _server.Start();
        var bootstrap = new Bootstrap { Concurrency = 1 };
        bootstrap.Cluster("main", _server.LocalEndpoint, connectTimeout);
        int port = bootstrap.Listener("in", filter);
        _proxy = await ProxyProcess.StartAsync(bootstrap);
        return port;
    }
}
