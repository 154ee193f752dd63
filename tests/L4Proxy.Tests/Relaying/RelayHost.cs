using System.Buffers;
using MeshL4.L4Proxy.Relaying;
using MeshL4.TestKit;

namespace MeshL4.L4Proxy.Tests.Relaying;

/// <summary>A client and a server joined by one relay on one loop.</summary>
internal sealed class RelayHost : IDisposable
{
    private readonly LoopFixture _fixture;

    private RelayHost(LoopFixture fixture, SocketPair client, SocketPair server, SocketRelay relay, Task<RelayOutcome> outcome)
    {
        _fixture = fixture;
        Client = client;
        Server = server;
        Relay = relay;
        Outcome = outcome;
    }

    public SocketPair Client { get; }

    public SocketPair Server { get; }

    public SocketRelay Relay { get; }

    /// <summary>How it ended; the relay's sockets are closed by then.</summary>
    public Task<RelayOutcome> Outcome { get; }

    public static async Task<RelayHost> StartAsync(
        LoopFixture fixture, bool splice, TimeSpan idleTimeout = default, ReadOnlySequence<byte> prepend = default, int? clientReceiveBytes = null)
    {
        SocketPair client = await SocketPair.OpenAsync(fixture, clientReceiveBytes);
        SocketPair server = await SocketPair.OpenAsync(fixture, clientReceiveBytes);
        SocketRelay relay = new(client.Near, server.Near, idleTimeout, splice);
        Task<RelayOutcome> outcome = fixture.RunAsync(async () =>
        {
            relay.ToUpstream.Prepend(prepend);
            RelayOutcome result = await relay.RunAsync();
            client.Near.Close();
            server.Near.Close();
            return result;
        });
        return new RelayHost(fixture, client, server, relay, outcome);
    }

    /// <summary>Both ways at once; true when every byte arrived as it was sent.</summary>
    public async Task<bool> ExchangeAsync(int up, int down)
    {
        byte[] upward = SocketPair.Noise(up);
        byte[] downward = SocketPair.Noise(down);
        Task<byte[]> atServer = Server.ReadToEndAsync();
        Task<byte[]> atClient = Client.ReadToEndAsync();
        await Task.WhenAll(
            Task.Run(() => Client.SendAllAndEndAsync(upward)), Task.Run(() => Server.SendAllAndEndAsync(downward)), atServer, atClient);
        return (await atServer).AsSpan().SequenceEqual(upward) && (await atClient).AsSpan().SequenceEqual(downward);
    }

    public void Dispose()
    {
        Client.Dispose();
        Server.Dispose();
    }
}
