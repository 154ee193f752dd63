using System.Net;
using System.Net.Sockets;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using Bootstrap = MeshL4.TestKit.Bootstrap;
using Peer = MeshL4.TestKit.Peer;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>A codec in the place of a <c>tcp_proxy</c>: bytes that are none of its frames are relayed as the <c>tcp_proxy</c> would have relayed them.</summary>
public sealed class CodecRuleTests : IDisposable
{
    private static readonly byte[] Unknown = "\u0001 no frame\n"u8.ToArray();

    private readonly Peer _echo = Peer.Echo();
    private readonly Bootstrap _bootstrap = new();
    private int _port;

    public void Dispose() => _echo.Dispose();

    [Fact]
    public async Task UnknownBytes_GoToTheClustersByTheirWeights()
    {
        const int Connections = 100;
        await using ProxyProcess proxy = await StartAsync("weighted_clusters: {clusters: [{name: canary, weight: 1}, {name: stable, weight: 99}]}");

        for (int i = 0; i < Connections; i++)
        {
            using Socket client = await EchoedAsync();
        }

        long canary = await proxy.StatAsync("cluster.canary.upstream_cx_total");
        (await proxy.StatAsync("cluster.stable.upstream_cx_total")).ShouldBe(Connections - canary);
        canary.ShouldBeLessThan(Connections / 2);
    }

    [Fact]
    public async Task UnknownBytes_HaveTheConnectAttemptsOfTheirChain()
    {
        await using ProxyProcess proxy = await StartAsync("cluster: half, max_connect_attempts: 2");
        for (int i = 0; i < 10; i++)
        {
            using Socket client = await EchoedAsync();
        }
    }

    [Theory]
    [InlineData("idle_timeout: 4s", "idle_timeout")]
    [InlineData("max_downstream_connection_duration: 4s", "max_downstream_connection_duration")]
    public async Task UnknownBytes_HaveTheTimesOfTheirChain(string times, string details)
    {
        await using ProxyProcess proxy = await StartAsync("cluster: stable, " + times);
        using Socket client = await EchoedAsync();
        await EndsAsync(client);
        (await proxy.RecordOfAsync(client.LocalEndPoint!)).Details.ShouldBe(details);
    }

    /// <summary>Nothing was said, or not enough to tell what it is, or a frame.</summary>
    [Theory]
    [InlineData("idle_timeout: 0.5s", "idle_timeout", "")]
    [InlineData("idle_timeout: 0.5s", "idle_timeout", "*")]
    [InlineData("max_downstream_connection_duration: 0.5s", "max_downstream_connection_duration", "")]
    [InlineData("max_downstream_connection_duration: 0.5s", "max_downstream_connection_duration", "*")]
    [InlineData("max_downstream_connection_duration: 0.5s", "max_downstream_connection_duration", "*1\r\n$4\r\nPING\r\n")]
    public async Task Clients_HaveTheTimesOfTheirChain(string times, string details, string first)
    {
        await using ProxyProcess proxy = await StartAsync("cluster: stable, " + times);
        using Socket client = await ConnectAsync();
        await EndsAsync(client, System.Text.Encoding.ASCII.GetBytes(first));
        (await proxy.RecordOfAsync(client.LocalEndPoint!)).Details.ShouldBe(details);
    }

    private Task<ProxyProcess> StartAsync(string proxy)
    {
        _bootstrap.Cluster("canary", _echo.Address);
        _bootstrap.Cluster("stable", _echo.Address);
        _bootstrap.Cluster("half", [(IPEndPoint)Peer.Refusing(), (IPEndPoint)_echo.Address]);
        _bootstrap.Extension("codecs", "'@type': type.googleapis.com/meshl4.xrpc.v1.CodecRules, rules: [{cluster_pattern: '*', codec: redis}]");
        _port = _bootstrap.Listener("in", $"{{name: f, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: x, {proxy}}}}}");
        return ProxyProcess.StartAsync(_bootstrap);
    }

    private async Task<Socket> ConnectAsync()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(IPAddress.Loopback, _port);
        return client;
    }

    /// <summary>A client whose unknown bytes came to a server and back.</summary>
    private async Task<Socket> EchoedAsync()
    {
        Socket client = await ConnectAsync();
        await client.SendAsync(Unknown);
        byte[] answer = new byte[64];
        using var limit = new CancellationTokenSource(Patience.Limit);
        int count = await client.ReceiveAsync(answer, limit.Token);
        answer[..count].ShouldBe(Unknown);
        return client;
    }

    /// <summary>By an end or a reset, be it before <paramref name="first"/> was said; what the proxy says before does not matter.</summary>
    private static async Task EndsAsync(Socket client, byte[]? first = null)
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        byte[] answer = new byte[1024];
        try
        {
            await client.SendAsync(first ?? []);
            while (await client.ReceiveAsync(answer, limit.Token) > 0)
            {
            }
        }
        catch (SocketException)
        {
        }
    }
}
