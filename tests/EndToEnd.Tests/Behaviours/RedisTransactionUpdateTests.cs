using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Routes that change while a MULTI is on its way to the server.</summary>
public sealed class RedisTransactionUpdateTests : IDisposable
{
    private readonly Peer _redis = Peer.Redis();
    private readonly TempFolder _folder = new();
    private readonly int _port = Ports.Free();
    private int _version;

    /// <summary>The connection that MULTI went to has an open transaction: it is nobody else's.</summary>
    [Theory]
    [InlineData("{forward: {cluster: c}, policies: {authorization: {deny: [{methods: [SET]}]}}}", "-NOPERM")]
    [InlineData("{reject: {message: gone}}", "-gone")]
    public void FirstCommandThatIsRefusedMeanwhile_LeavesNoTransactionToOthers(string routes, string answer)
    {
        Write("{forward: {cluster: c}}");
        using Sidecar proxy = Sidecar.Start(new Boot().Files(listeners: _folder.At("lds.yaml")).With(Boot.Cluster("c", [_redis.Address])), concurrency: 1);
        using Call client = Call.To(_port);
        client.Ask("MULTI").ShouldBe("+OK");
        _redis.Signal("STOP");
        long sent = proxy.Stat("cluster.c.upstream_cx_tx_bytes_total");
        client.Send("SET k 1\n");
        Wait.Until(() => proxy.Stat("cluster.c.upstream_cx_tx_bytes_total") > sent, "MULTI was not sent");
        Write(routes);
        Wait.Until(() => IsRefused(answer), "the update is not in use");
        _redis.Signal("CONT");
        client.ReadLine()!.ShouldStartWith(answer);
        client.Ask("EXEC")!.ShouldStartWith("-EXECABORT");

        Write("{forward: {cluster: c}}");
        Wait.Until(() => Call.Ask(_port, "SET probe 1") == "+OK", "the second update is not in use");
        using Call other = Call.To(_port);
        other.Ask("BLPOP none 0.1").ShouldBe("*-1");
        other.Ask("WATCH k").ShouldBe("+OK");
        Call.Ask(_redis.Port, "EXISTS k").ShouldBe(":0");
    }

    public void Dispose()
    {
        _redis.Dispose();
        _folder.Dispose();
    }

    /// <summary>The version is shown a moment before it is in use. What is not refused waits for a server that is stopped.</summary>
    private bool IsRefused(string answer)
    {
        using Call probe = Call.To(_port);
        probe.Send("SET probe 1\n");
        return probe.Socket.Poll(TimeSpan.FromMilliseconds(500), System.Net.Sockets.SelectMode.SelectRead)
            && probe.ReadLine()!.StartsWith(answer, StringComparison.Ordinal);
    }

    private void Write(string routes) => _folder.Write(
        "lds.yaml", Boot.Resources($"{++_version}", Boot.Listener("l", "127.0.0.1", _port, Boot.Chain(Boot.XRpc(routes)))));
}
