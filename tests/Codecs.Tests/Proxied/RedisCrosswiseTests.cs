using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>
/// Long answers that wait for each other: sent again, a request is behind younger ones, so that each of two clients has to wait for an
/// answer behind one that is held for the other. Nothing can go on before one of them ends.
/// </summary>
public sealed class RedisCrosswiseTests
{
    private const int ValueBytes = 6_000_000;

    private readonly CancellationTokenSource _limit = new(Patience.Limit);

    [Fact]
    public async Task TwoClients_EachBehindTheOthersAnswer_CostOneOfThem()
    {
        using var one = new TcpListener(IPAddress.Loopback, 0);
        using var two = new TcpListener(IPAddress.Loopback, 0);
        using var far = new TcpListener(IPAddress.Loopback, 0);
        Array.ForEach([one, two, far], static server => server.Start());
        var bootstrap = new Bootstrap { Concurrency = 1 };
        bootstrap.Cluster("pair", [(IPEndPoint)one.LocalEndpoint, (IPEndPoint)two.LocalEndpoint]);
        bootstrap.Cluster("far", far.LocalEndpoint);
        int port = bootstrap.Listener("in", Bootstrap.XRpcProxy(
            "redis", "{match: {key_prefix: a}, forward: {cluster: pair}}, {forward: {cluster: far}}", ", policies: {retry: {num_retries: 1}, timeout: 60s}, limits: {slow_reader_timeout: 4s}"));
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        using TcpClient first = await ConnectAsync(port);
        using TcpClient second = await ConnectAsync(port);

        // The servers of the pair take turns: one has the first client, the other the second.
        await first.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Get("a1") + Get("b1")));
        (TcpClient dying, TcpListener next) = await FirstAsync(one, two);
        await IsAskedAsync(dying, "a1");
        using TcpClient atFar = await far.AcceptTcpClientAsync(_limit.Token);
        await IsAskedAsync(atFar, "b1");
        await second.GetStream().WriteAsync(Encoding.ASCII.GetBytes(Get("b2") + Get("a2")));
        await IsAskedAsync(atFar, "b2");
        using TcpClient near = await next.AcceptTcpClientAsync(_limit.Token);
        await IsAskedAsync(near, "a2");
        dying.Dispose();
        await IsAskedAsync(near, "a1");

        Task<bool> firstEnds = AllCameAsync(first, "a1", "b1");
        Task<bool> secondEnds = AllCameAsync(second, "b2", "a2");
        _ = AnswerAsync(near, "a2", "a1");
        _ = AnswerAsync(atFar, "b1", "b2");

        (await Task.WhenAll(firstEnds, secondEnds)).Count(static served => served).ShouldBe(1);
        AccessRecord ended = await proxy.RecordOfAsync((await firstEnds ? second : first).Client.LocalEndPoint!);
        (ended.Flags, ended.Details, ended.By).ShouldBe(("UO", "early_answers_over_limit", "proxy"));
    }

    private async Task<(TcpClient Connection, TcpListener Other)> FirstAsync(TcpListener one, TcpListener two)
    {
        await Patience.UntilAsync(() => one.Pending() || two.Pending(), "one of the pair is connected to");
        return one.Pending() ? (await one.AcceptTcpClientAsync(_limit.Token), two) : (await two.AcceptTcpClientAsync(_limit.Token), one);
    }

    private static async Task<TcpClient> ConnectAsync(int port)
    {
        var client = new TcpClient(AddressFamily.InterNetwork);
        await client.ConnectAsync(IPAddress.Loopback, port);
        return client;
    }

    private async Task IsAskedAsync(TcpClient server, string key)
    {
        string expected = Get(key);
        byte[] request = new byte[expected.Length];
        await server.GetStream().ReadExactlyAsync(request, _limit.Token);
        Encoding.ASCII.GetString(request).ShouldBe(expected);
    }

    private async Task AnswerAsync(TcpClient server, params string[] keys)
    {
        foreach (string key in keys)
        {
            await server.GetStream().WriteAsync(Value(key), _limit.Token);
        }
    }

    /// <summary>True when both answers came, in their order; false when the connection ended before.</summary>
    private async Task<bool> AllCameAsync(TcpClient client, params string[] keys)
    {
        byte[] expected = [.. keys.SelectMany(Value)];
        byte[] got = new byte[expected.Length];
        try
        {
            int count = await client.GetStream().ReadAtLeastAsync(got, got.Length, throwOnEndOfStream: false, _limit.Token);
            got.AsSpan(0, count).SequenceEqual(expected.AsSpan(0, count)).ShouldBeTrue();
            return count == expected.Length;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string Get(string key) => $"*2\r\n$3\r\nGET\r\n$2\r\n{key}\r\n";

    private static byte[] Value(string key) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"${ValueBytes}\r\n{key}{new string('.', ValueBytes - 2)}\r\n"));
}
