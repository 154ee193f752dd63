using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A client that is subscribed, and a server that takes its time over the last answer, or never gives it.</summary>
public sealed class RedisRelayTests
{
    private const string Reset = "*1\r\n$5\r\nRESET\r\n";
    private const string Quit = "*1\r\n$4\r\nQUIT\r\n";
    private const string Ping = "*1\r\n$4\r\nPING\r\n";
    private const string Pong = "*2\r\n$4\r\npong\r\n$0\r\n\r\n";
    private const string Unknown = "-ERR unknown command\r\n";
    private const string Subscribe = "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n";
    private const string Confirmed = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";

    /// <summary>Its end is not read behind QUIT, so nothing else would end it.</summary>
    [Theory]
    [InlineData(Quit)]
    [InlineData(Reset)]
    public Task Client_ThatLeftAServerWithoutAnswer_IsForgotten(string last) => RunAsync(", limits: {slow_reader_timeout: 0.3s}", async (client, server) =>
    {
        await SayAsync(client, last);
        await ExpectAsync(server, last);
        client.Dispose();
        await ExpectEndAsync(server);
    });

    [Fact]
    public Task Client_ThatWaitsBehindQuit_IsEndedToo() => RunAsync(", limits: {slow_reader_timeout: 0.3s}", async (client, server) =>
    {
        await SayAsync(client, Quit);
        await ExpectEndAsync(client);
        await ExpectAsync(server, Quit);
        await ExpectEndAsync(server);
    });

    [Fact]
    public Task Reset_WithCommandsBehindIt_LosesNoAnswer() => RunAsync("", async (client, server) =>
    {
        await SayAsync(client, Reset + Ping);
        await ExpectAsync(server, Reset);
        await SayAsync(server, "+RESET\r\n");
        await ExpectAsync(client, "+RESET\r\n+PONG\r\n");
        await ExpectEndAsync(server);
    });

    [Fact]
    public Task Reset_ThatTheServerDoesNotKnow_IsFollowedByWhatIsBehindIt() => RunAsync("", async (client, server) =>
    {
        await SayAsync(client, Reset + Ping);
        await ExpectAsync(server, Reset);
        await SayAsync(server, Unknown);
        await ExpectAsync(server, Ping);
        await SayAsync(server, Pong);
        await ExpectAsync(client, Unknown + Pong);
    });

    private static async Task RunAsync(string limits, Func<NetworkStream, NetworkStream, Task> talk)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var bootstrap = new Bootstrap { Concurrency = 1 };
        bootstrap.Cluster("main", listener.LocalEndpoint);
        int port = bootstrap.Listener("in", Bootstrap.XRpcProxy("redis", "{forward: {cluster: main}}", limits));
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        await SayAsync(client.GetStream(), Subscribe);
        using TcpClient server = await listener.AcceptTcpClientAsync();
        await ExpectAsync(server.GetStream(), Subscribe);
        await SayAsync(server.GetStream(), Confirmed);
        await ExpectAsync(client.GetStream(), Confirmed);
        await talk(client.GetStream(), server.GetStream());
    }

    private static async Task SayAsync(NetworkStream stream, string text) => await stream.WriteAsync(Encoding.ASCII.GetBytes(text));

    private static async Task ExpectAsync(NetworkStream stream, string text)
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        byte[] bytes = new byte[text.Length];
        await stream.ReadExactlyAsync(bytes, limit.Token);
        Encoding.ASCII.GetString(bytes).ShouldBe(text);
    }

    private static async Task ExpectEndAsync(NetworkStream stream)
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        int read;
        try
        {
            read = await stream.ReadAsync(new byte[64], limit.Token);
        }
        catch (IOException)
        {
            // A reset is an end as well.
            return;
        }

        read.ShouldBe(0);
    }
}
