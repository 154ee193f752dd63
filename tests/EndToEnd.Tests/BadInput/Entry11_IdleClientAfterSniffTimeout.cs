using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 11: a client that waits for a server that speaks first, on a listener that sniffs and goes on when the time is up.</summary>
public sealed class Entry11_IdleClientAfterSniffTimeout
{
    [Fact]
    public async Task IdleClient_WhenTheServerSpeaksFirst_GetsTheBannerAndCostsNothing()
    {
        using Peer server = Peer.Banner("220 ready\r\n");
        var bootstrap = new Bootstrap();
        bootstrap.Cluster("smtp", server.Address);
        int port = bootstrap.Listener(
            "sniffing",
            Bootstrap.TcpProxy("smtp"),
            $", listener_filters: [{Bootstrap.TlsInspector}, {Bootstrap.HttpInspector}], listener_filters_timeout: 0.2s, continue_on_listener_filters_timeout: true");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        int sockets = await proxy.SocketsAtRestAsync();
        using Client client = await Client.ConnectAsync(port);

        (await client.ReadAsync("220 ready\r\n")).ShouldBe("220 ready\r\n");
        await proxy.RestsAsync(TimeSpan.FromSeconds(2), fewTicks: 40);

        (await client.EchoAsync("HELO\r\n")).ShouldBe("HELO\r\n");
        client.EndSending();
        await client.ReadToEndAsync();
        AccessRecord record = await proxy.RecordOfAsync(client.Address);
        (record.Flags, record.By, record.Received, record.Sent).ShouldBe(("-", "both", 6, 17));
        await proxy.ReturnsToAsync(sockets);
    }
}
