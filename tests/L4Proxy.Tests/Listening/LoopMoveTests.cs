using System.Net;
using System.Text;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.L4Proxy.Tests.Reporting;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Listening;

public sealed class LoopMoveTests : IDisposable
{
    private readonly LoopFixture _first = new();
    private readonly LoopFixture _second = new();
    private readonly LoopWorker _from;
    private readonly LoopWorker _to;
    private readonly FilterChainSnapshot _chain = new() { Name = "old", Terminal = new RejectTerminalSnapshot() };

    public LoopMoveTests() => (_from, _to) = (new LoopWorker(_first.Loop), new LoopWorker(_second.Loop));

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
    }

    /// <summary>Bytes that came before, while and after it moves are read by the code behind.</summary>
    [Fact]
    public async Task Move_GoesOnOnTheOtherLoop_AndLosesNothing()
    {
        using SocketPair pair = await SocketPair.OpenAsync(_first);
        Downstream connection = await AcceptAsync(pair);
        await pair.Far.SendAsync(Encoding.ASCII.GetBytes("one "));
        EventLoop? loop = null;
        Task<string> read = _first.RunAsync(async () =>
        {
            await connection.MoveTo(_to);
            loop = EventLoop.Current;
            return await ReadAsync(connection, "one two");
        });
        await pair.Far.SendAsync(Encoding.ASCII.GetBytes("two"));
        (await read).ShouldBe("one two");
        loop.ShouldBe(_second.Loop);
        connection.Loop.ShouldBe(_second.Loop);
        (await _first.OnAsync(() => _from.Connections.Count)).ShouldBe(0);
        (await _second.OnAsync(() => _to.Connections.Single())).ShouldBe(connection);
        await _second.OnAsync(() => connection.Close(reset: false));
        (await pair.ReadToEndAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Move_OfAConnectionThatIsEndedMeanwhile_GoesOnWhereItWas()
    {
        using SocketPair pair = await SocketPair.OpenAsync(_first);
        Downstream connection = await AcceptAsync(pair);
        EventLoop? loop = await _first.RunAsync(async () =>
        {
            LoopMove move = connection.MoveTo(_to);
            _first.Loop.AtTurnEnd(new Act(() => connection.Cancel(ResponseFlags.LR, "test")));
            await move;
            move.Arrived.ShouldBeFalse();
            return EventLoop.Current;
        });
        loop.ShouldBe(_first.Loop);
        (await _second.OnAsync(() => _to.Connections.Count)).ShouldBe(0);
    }

    /// <summary>The loop it comes to has looked through its connections already, the one it leaves not yet.</summary>
    [Fact]
    public async Task Move_WhileItsChainIsReplaced_HasTheDrainTimeAllTheSame()
    {
        var listener = new ListenerSnapshot { Name = "l", Address = new IPEndPoint(IPAddress.Loopback, 1), FilterChains = [_chain] };
        ProxySnapshot before = ProxySnapshot.Empty with { Listeners = [listener] };
        var drain = new ChainDrain([_from, _to], new SnapshotStore(), TimeSpan.FromHours(1));
        var placement = new ClientPlacement([_from, _to], drain, busy: 0.9);
        using SocketPair pair = await SocketPair.OpenAsync(_first);
        Downstream connection = await AcceptAsync(pair);
        connection.Record.Chain = _chain;
        using var swapped = new ManualResetEventSlim();
        Task<bool> moved = _first.RunAsync(async () =>
        {
            swapped.Wait(Patience.Limit);
            return await placement.MoveAsync(connection, _to);
        });
        drain.Swapped(before, ProxySnapshot.Empty);
        await _second.OnAsync(static () => true);
        swapped.Set();
        (await moved).ShouldBeTrue();
        (await _second.OnAsync(() => connection.DrainTimer)).ShouldNotBeNull();
        await _second.OnAsync(() => connection.Close(reset: false));
    }

    /// <summary>Its timer is one of the loop that it leaves: the other one must not touch it.</summary>
    [Fact]
    public async Task Move_WithADrainTimeThatRuns_LeavesNoTimerBehind()
    {
        var listener = new ListenerSnapshot { Name = "l", Address = new IPEndPoint(IPAddress.Loopback, 1), FilterChains = [_chain] };
        var drain = new ChainDrain([_from, _to], new SnapshotStore(), TimeSpan.FromHours(1));
        var placement = new ClientPlacement([_from, _to], drain, busy: 0.9);
        using SocketPair pair = await SocketPair.OpenAsync(_first);
        Downstream connection = await AcceptAsync(pair);
        connection.Record.Chain = _chain;
        drain.Swapped(ProxySnapshot.Empty with { Listeners = [listener] }, ProxySnapshot.Empty);
        await _first.UntilAsync(() => _first.Loop.Timers.Armed == 1, "the drain time runs");
        (await _first.RunAsync(async () => await placement.MoveAsync(connection, _to))).ShouldBeTrue();
        (await _first.OnAsync(() => _first.Loop.Timers.Armed)).ShouldBe(0);
        (await _second.OnAsync(() => _second.Loop.Timers.Armed)).ShouldBe(1);
        await _second.OnAsync(() => connection.Close(reset: false));
    }

    private async Task<Downstream> AcceptAsync(SocketPair pair)
    {
        var listener = new ListenerSnapshot { Name = "l", Address = new IPEndPoint(IPAddress.Loopback, 1) };
        var connection = new Downstream(_from, pair.Near, ProxySnapshot.Empty, listener, new ConnectionRecord(new CountingReporter(), 1, listener));
        await _first.OnAsync(() => _from.Connections.Add(connection));
        return connection;
    }

    private static async Task<string> ReadAsync(Downstream connection, string expected)
    {
        System.IO.Pipelines.ReadResult read = await connection.Pipe.Input.ReadAsync();
        while (read.Buffer.Length < expected.Length)
        {
            connection.Pipe.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            read = await connection.Pipe.Input.ReadAsync();
        }

        return Encoding.ASCII.GetString(read.Buffer);
    }

    private sealed class Act(Action act) : ITurnEnd
    {
        public void OnTurnEnd() => act();
    }
}
