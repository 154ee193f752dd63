using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>A new server connection that cannot be logged in, or brought into its database, executes nothing: the server would, in the state that it has.</summary>
public sealed class RedisPreambleTests : IDisposable
{
    private readonly Peer _redis = Peer.Redis("--user", "low", "on", ">x", "~low*", "&*", "+@all");
    private readonly int _port = Ports.Free();

    [Theory]
    [InlineData("SELECT 2", "default -select", "-NOPERM")]
    [InlineData("AUTH low x", "low resetpass >other", "-WRONGPASS")]
    public void RefusedState_ExecutesNothing(string state, string rule, string error)
    {
        using Sidecar proxy = Start();
        using Call client = Call.To(_port);
        client.Ask(state).ShouldBe("+OK");
        Call.Ask(_redis.Port, "RPUSH lowest x").ShouldBe(":1");
        Call.Ask(_redis.Port, $"ACL SETUSER {rule}").ShouldBe("+OK");

        // It has a connection of its own, a new one.
        client.Ask("BLPOP lowest 1")!.ShouldStartWith(error);
        Call.Ask(_redis.Port, "LLEN lowest").ShouldBe(":1");
    }

    [Fact]
    public void RefusedLoginOfTheProxysOwn_ExecutesNothing()
    {
        using Sidecar proxy = Start(", upstream: {credentials: {username: {inline_string: low}, password: {inline_string: wrong}}}");
        using Call client = Call.To(_port);
        client.Send("SET k x\r\nDEL k\r\nINCR n\r\n");
        for (int i = 0; i < 3; i++)
        {
            client.ReadLine()!.ShouldContain("WRONGPASS");
        }

        Call.Ask(_redis.Port, "EXISTS k n").ShouldBe(":0");
    }

    /// <summary>Megabytes are asked of a server that has answered to nothing yet.</summary>
    [Fact]
    public async Task WhatWaitsForTheState_IsSentInOrderBehindIt()
    {
        using Sidecar proxy = Start();
        using Call client = Call.To(_port);
        client.Ask("SELECT 2").ShouldBe("+OK");
        long Sent() => proxy.Stat("cluster.main.upstream_cx_tx_bytes_total");
        long before = Sent();
        _redis.Signal("STOP");
        const int Appends = 30;
        string value = new('x', 100_000);
        Task all = Task.Run(() => client.Send("WATCH k\r\n" + string.Concat(Enumerable.Repeat($"*3\r\n$6\r\nAPPEND\r\n$1\r\nk\r\n$100000\r\n{value}\r\n", Appends)) + "STRLEN k\r\n"));
        Wait.Until(() => proxy.Stat("redis.x.downstream_rq_total") > 2, "nothing is asked behind WATCH");
        Wait.Until(() => Sent() > before, "the state is not asked for");
        (Sent() - before).ShouldBe("*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n".Length);
        _redis.Signal("CONT");
        client.ReadLine().ShouldBe("+OK");
        for (int i = 1; i <= Appends; i++)
        {
            client.ReadLine().ShouldBe($":{i * value.Length}");
        }

        client.ReadLine().ShouldBe($":{Appends * value.Length}");
        await all;
        Call.Ask(_redis.Port, "EXISTS k").ShouldBe(":0");
    }

    public void Dispose() => _redis.Dispose();

    private Sidecar Start(string more = "") => Sidecar.Start(
        new Boot().Listen("l", _port, Boot.Chain(Boot.XRpc("{forward: {cluster: main}}", more))).With(Boot.Cluster("main", [_redis.Address])), concurrency: 1);
}
