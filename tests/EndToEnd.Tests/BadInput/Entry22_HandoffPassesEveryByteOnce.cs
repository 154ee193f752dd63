using System.Text;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 22: what was read while sniffing reaches the L7 engine exactly once, wherever the request is cut.</summary>
public sealed class Entry22_HandoffPassesEveryByteOnce
{
    private static readonly byte[] Request = Encoding.Latin1.GetBytes(
        "CONNECT upstream:443 HTTP/1.1\r\nHost: upstream:443\r\n\r\nearly data after CONNECT\0\u00ff");

    [Fact]
    public async Task Request_CutAtEveryByte_ArrivesOnceBehindItsHeader()
    {
        using Peer engine = Peer.Recorder();
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(Handoff(engine, out int port));
        int sockets = await proxy.SocketsAtRestAsync();
        for (int cut = 0; cut <= Request.Length; cut++)
        {
            using Client client = await Client.ConnectAsync(port);
            await client.SendAsync(Request.AsMemory(0, cut));
            await Task.Yield();
            await client.SendAsync(Request.AsMemory(cut));
            await CheckAsync(proxy, engine, client, $"cut at {cut}");
        }

        await proxy.ReturnsToAsync(sockets);
    }

    [Fact]
    public async Task Request_ByteByByte_ArrivesOnceBehindItsHeader()
    {
        using Peer engine = Peer.Recorder();
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(Handoff(engine, out int port));
        int sockets = await proxy.SocketsAtRestAsync();
        using Client client = await Client.ConnectAsync(port);

        await client.SendAsync(Request, pieceLength: 1);

        await CheckAsync(proxy, engine, client, "byte by byte");
        await proxy.ReturnsToAsync(sockets);
    }

    private static Bootstrap Handoff(Peer engine, out int port)
    {
        var bootstrap = new Bootstrap();
        bootstrap.Cluster("engine", engine.Address);
        bootstrap.Engine("engine");
        port = bootstrap.Listener(
            "http", Bootstrap.HttpManager(), $", listener_filters: [{Bootstrap.TlsInspector}, {Bootstrap.HttpInspector}]");
        return bootstrap;
    }

    private static async Task CheckAsync(ProxyProcess proxy, Peer engine, Client client, string what)
    {
        client.EndSending();
        (await client.ReadTextToEndAsync()).ShouldBe("ok", what);
        engine.Received.TryDequeue(out byte[]? received).ShouldBeTrue(what);
        received!.AsSpan(0, 12).SequenceEqual(ProxyHeaders.Signature).ShouldBeTrue(what);
        int header = 16 + ((received[14] << 8) | received[15]);
        received.AsSpan(header).SequenceEqual(Request).ShouldBeTrue(what);
        AccessRecord record = await proxy.RecordOfAsync(client.Address);
        (record.Flags, record.Received, record.Sent).ShouldBe(("-", Request.Length, 2), what);
    }
}
