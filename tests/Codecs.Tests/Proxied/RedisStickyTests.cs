using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A client whose answers come in order stays with its server while that is there, whatever else of the configuration changes.</summary>
public sealed class RedisStickyTests
{
    [Fact]
    public async Task Client_WhoseRoutesChange_StaysWithItsServer()
    {
        using TcpListener one = Serve("one");
        using TcpListener two = Serve("two");
        var bootstrap = new Bootstrap { Concurrency = 1 };
        bootstrap.Cluster("pair", [(IPEndPoint)one.LocalEndpoint, (IPEndPoint)two.LocalEndpoint]);
        (int port, string listeners) = (Bootstrap.FreePort(), Path.Combine(bootstrap.Folder, "lds.yaml"));
        void Change(int version)
        {
            string routes = $"{{match: {{key_prefix: old}}, reject: {{message: v{version}}}}}, {{forward: {{cluster: pair}}}}";
            File.WriteAllText(listeners + ".new", $"resources: [{{'@type': type.googleapis.com/envoy.config.listener.v3.Listener, name: in, address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}, "
                + $"filter_chains: [{{filters: [{Bootstrap.XRpcProxy("redis", routes)}]}}]}}]");
            File.Move(listeners + ".new", listeners, overwrite: true);
        }

        Change(0);
        bootstrap.Dynamic($"lds_config: {{path_config_source: {{path: '{listeners}'}}}}");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        using var answers = new StreamReader(client.GetStream(), Encoding.ASCII);
        async Task<string?> AskAsync(string key)
        {
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET {key}\r\n"));
            return await answers.ReadLineAsync();
        }

        string? server = await AskAsync("new");
        for (int version = 1; version <= 8; version++)
        {
            Change(version);
            await Patience.UntilAsync(async () => (await AskAsync("old"))!.EndsWith($"v{version}", StringComparison.Ordinal), "the new routes are in use", () => proxy.Said);
            (await AskAsync("new")).ShouldBe(server);
        }
    }

    /// <summary>A server that answers whatever it is asked with its name.</summary>
    internal static TcpListener Serve(string name)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _ = AcceptAsync(listener, name);
        return listener;
    }

    private static async Task AcceptAsync(TcpListener listener, string name)
    {
        try
        {
            while (true)
            {
                _ = AnswerAsync(await listener.AcceptTcpClientAsync(), name);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end of the listener is how it ends.
        }
    }

    private static async Task AnswerAsync(TcpClient client, string name)
    {
        using TcpClient owned = client;
        using var lines = new StreamReader(client.GetStream(), Encoding.ASCII);
        while (await lines.ReadLineAsync() is not null)
        {
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"+{name}\r\n"));
        }
    }
}
