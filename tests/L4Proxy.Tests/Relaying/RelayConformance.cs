using System.Net.Sockets;
using MeshL4.L4Proxy.Relaying;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Tests.Sniffing;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Relaying;

/// <summary>What every relay does, whatever moves the bytes.</summary>
public abstract class RelayConformance(bool splice) : IAsyncLifetime
{
    private readonly LoopFixture _fixture = new();

    public Task InitializeAsync() => Task.CompletedTask;

    /// <summary>Whatever a test did: no block and no pipe is left out, and nothing reached the loop as a fault.</summary>
    public async Task DisposeAsync()
    {
        (await _fixture.HeldAsync()).ShouldBe(0);
        _fixture.Loop.Faults.ShouldBe(0);
        _fixture.Dispose();
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(0, 70_001)]
    [InlineData(20_000_003, 1)]
    [InlineData(5_000_001, 9_000_007)]
    public async Task Run_BytesBothWays_ArriveWholeAndEndInOrder(int up, int down)
    {
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice);
        (await host.ExchangeAsync(up, down)).ShouldBeTrue();
        (await host.Outcome).ShouldBe(new RelayOutcome(ResponseFlags.None, EndedBy.Both, null));
        host.Relay.ToUpstream.Bytes.ShouldBe(up);
        host.Relay.ToDownstream.Bytes.ShouldBe(down);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_OneSideEnds_TheOtherWayGoesOn(bool clientEnds)
    {
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice);
        (SocketPair ending, SocketPair other) = clientEnds ? (host.Client, host.Server) : (host.Server, host.Client);
        ending.Far.Shutdown(SocketShutdown.Send);
        (await other.ReadToEndAsync()).ShouldBeEmpty();
        byte[] late = SocketPair.Noise(300_000);
        Task<byte[]> received = ending.ReadToEndAsync();
        await other.SendAllAndEndAsync(late);
        (await received).AsSpan().SequenceEqual(late).ShouldBeTrue();
        (await host.Outcome).EndedBy.ShouldBe(EndedBy.Both);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_OneSideResets_TheOtherIsReset(bool clientResets)
    {
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice);
        (SocketPair resetting, SocketPair other) = clientResets ? (host.Client, host.Server) : (host.Server, host.Client);
        resetting.ResetFar();
        (await host.Outcome).ShouldBe(clientResets
            ? new RelayOutcome(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset")
            : new RelayOutcome(ResponseFlags.UC, EndedBy.Upstream, "upstream_reset"));
        await Should.ThrowAsync<SocketException>(other.ReadToEndAsync());
    }

    [Fact]
    public async Task Run_ServerSpeaksThenResets_ClientStillReceivesWhatWasSaid()
    {
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice);
        await host.Server.Far.SendAsync(new byte[] { 1, 2, 3 });
        host.Server.ResetFar();
        byte[] buffer = new byte[10];
        (await host.Outcome).Flags.ShouldBe(ResponseFlags.UC);
        (await host.Client.Far.ReceiveAsync(buffer)).ShouldBe(3);
        await Should.ThrowAsync<SocketException>(host.Client.ReadToEndAsync());
    }

    [Fact]
    public async Task Run_ReceiverDoesNotRead_WriterStopsAndMemoryIsBounded()
    {
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice, clientReceiveBytes: 16 * 1024);
        byte[] sent = SocketPair.Noise(30_000_000);
        Task write = Task.Run(() => host.Server.SendAllAndEndAsync(sent));
        await _fixture.UntilAsync(() => !host.Client.Near.Writable, "the client's window is full");
        (await _fixture.OnAsync(() => _fixture.Loop.Memory.RentedBytes)).ShouldBeLessThanOrEqualTo(64 * 1024);
        (await _fixture.OnAsync(() => _fixture.Loop.Pipes.Lent)).ShouldBeLessThanOrEqualTo(1);
        write.IsCompleted.ShouldBeFalse();
        host.Client.Far.Shutdown(SocketShutdown.Send);
        (await host.Client.ReadToEndAsync()).AsSpan().SequenceEqual(sent).ShouldBeTrue();
        await write;
        (await host.Outcome).Flags.ShouldBe(ResponseFlags.None);
    }

    [Fact]
    public async Task Run_ClientResetsWhileServerNeverReads_Ends()
    {
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice);
        Task write = Task.Run(() => host.Client.SendAllAndEndAsync(new byte[50_000_000]));
        await _fixture.UntilAsync(() => !host.Server.Near.Writable, "the server's window is full");
        host.Client.ResetFar();
        (await host.Outcome).Flags.ShouldBe(ResponseFlags.DC);
        await Should.ThrowAsync<Exception>(write);
    }

    [Fact]
    public async Task Run_SmallMessages_AllocateNothing()
    {
        const int messages = 2_000;
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice);
        PingPong(host, messages);
        long before = await _fixture.OnAsync(GC.GetAllocatedBytesForCurrentThread);
        PingPong(host, messages);
        long after = await _fixture.OnAsync(GC.GetAllocatedBytesForCurrentThread);

        // The two questions themselves cost the loop a few objects; a message would have to cost less than a byte.
        (after - before).ShouldBeLessThan(messages);
    }

    [Fact]
    public async Task Run_NothingMoves_IdleTimeoutEndsIt()
    {
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice, TimeSpan.FromMilliseconds(50));
        (await host.Outcome).ShouldBe(new RelayOutcome(ResponseFlags.SI, EndedBy.Proxy, "idle_timeout"));
        (await host.Client.ReadToEndAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Cancel_Running_ResetsBothSides()
    {
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice);
        await _fixture.OnAsync(() => host.Relay.Cancel(ResponseFlags.DT, "drain"));
        (await host.Outcome).ShouldBe(new RelayOutcome(ResponseFlags.DT, EndedBy.Proxy, "drain"));
        await Should.ThrowAsync<SocketException>(host.Client.ReadToEndAsync());
        await Should.ThrowAsync<SocketException>(host.Server.ReadToEndAsync());
    }

    [Theory]
    [InlineData(40, 7)]
    [InlineData(8_000_000, 1_000_000)]
    public async Task Prepend_SegmentsReadBefore_GoFirstAndOnce(int length, int segment)
    {
        byte[] first = SocketPair.Noise(length);
        using RelayHost host = await RelayHost.StartAsync(_fixture, splice, prepend: Segments.Of(first, segment));
        Task<byte[]> atServer = host.Server.ReadToEndAsync();
        await host.Client.SendAllAndEndAsync(new byte[] { 9, 9 });
        host.Server.Far.Shutdown(SocketShutdown.Send);
        byte[] expected = [.. first, 9, 9];
        (await atServer).AsSpan().SequenceEqual(expected).ShouldBeTrue();
        await host.Outcome;
        host.Relay.ToUpstream.Bytes.ShouldBe(length + 2);
    }

    private static void PingPong(RelayHost host, int messages)
    {
        Span<byte> message = stackalloc byte[64];
        for (int i = 0; i < messages; i++)
        {
            host.Client.Far.Send(message);
            host.Server.Far.Receive(message);
            host.Server.Far.Send(message);
            host.Client.Far.Receive(message);
        }
    }
}

/// <summary>Everything through receive and send.</summary>
public sealed class CopyRelayTests() : RelayConformance(splice: false);

/// <summary>Bulk through kernel pipes.</summary>
public sealed class SpliceRelayTests() : RelayConformance(splice: true);
