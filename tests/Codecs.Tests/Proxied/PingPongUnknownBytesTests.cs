using System.Net;
using System.Net.Sockets;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Clients of a chain that lets unknown bytes through, before they have said what they are.</summary>
public sealed class PingPongUnknownBytesTests
{
    private const string Main = "{forward: {cluster: main}}";

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task SilentClient_IsClosedWhenItIsIdle(int bytes)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Main, ", idle_timeout: 0.5s");
        using Socket client = await SilentAsync(mesh, bytes);

        (await EndsAsync(client)).ShouldBe(0);

        AccessRecord record = await mesh.Proxy.RecordOfAsync(client.LocalEndPoint!);
        (record.Flags, record.By, record.Details).ShouldBe(("SI", "proxy", "idle_timeout"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task SilentClient_MeetsThePoliciesOfWhenItSpeaks(int bytes)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Main);
        using Socket client = await SilentAsync(mesh, bytes);
        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("meshl4.downstream_connections") >= 1, "the client is there", () => mesh.Proxy.Said);
        PingPongConnection witness = mesh.Connect();
        (await CallAsync(witness, 1, "who")).Kind.ShouldBe(PingPongKind.Result);
        int connections = mesh.Server.Accepted;

        mesh.Change(Main, ", policies: {authorization: {deny: [{services: [{exact: who}]}]}}");
        await Patience.UntilAsync(async () => (await CallAsync(witness, 2, "who")).Kind == PingPongKind.Failure, "the policy holds", () => mesh.Proxy.Said);
        await client.SendAsync("GET secret HTTP/1.1\r\n"u8.ToArray());

        await EndsAsync(client);
        (await mesh.Proxy.RecordOfAsync(client.LocalEndPoint!)).Details.ShouldBe("pingpong_protocol_error_a_frame_does_not_begin_with_the_magic_number");
        mesh.Server.Accepted.ShouldBe(connections);
    }

    private static async Task<Socket> SilentAsync(PingPongMesh mesh, int bytes)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(IPAddress.Loopback, mesh.Port);
        await client.SendAsync(new byte[] { 0xd0 }.AsMemory(0, bytes));
        return client;
    }

    /// <summary>Bytes that came before the end, or the reset.</summary>
    private static async Task<int> EndsAsync(Socket client)
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        byte[] answer = new byte[1024];
        int total = 0;
        try
        {
            for (int count = 1; count > 0; total += count)
            {
                count = await client.ReceiveAsync(answer, limit.Token);
            }
        }
        catch (SocketException)
        {
        }

        return total;
    }
}
