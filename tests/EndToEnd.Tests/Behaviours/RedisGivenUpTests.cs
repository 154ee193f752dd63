using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>What took too long on a client's own connection is answered with an error, and may be done there all the same when the server goes on.</summary>
public sealed class RedisGivenUpTests : IDisposable
{
    private readonly Peer _redis = Peer.Redis();
    private readonly int _port = Ports.Free();
    private readonly Sidecar _proxy;
    private readonly Call _client;

    public RedisGivenUpTests()
    {
        string filter = Boot.XRpc("{forward: {cluster: main}}", ", policies: {timeout: 6s}");
        _proxy = Sidecar.Start(new Boot().Listen("l", _port, Boot.Chain(filter)).With(Boot.Cluster("main", [_redis.Address])), concurrency: 1);
        _client = Call.To(_port);
    }

    /// <summary>Its own time is not over yet when the server goes on.</summary>
    [Fact]
    public async Task CommandOfATransaction_SpoilsIt()
    {
        Begin();
        await Late("SET b 2", then: "SET c 3");
        _client.ReadLine().ShouldBe("+QUEUED");
        _client.Ask("EXEC").ShouldBe("-EXECABORT Transaction discarded because of previous errors.");
        _client.Ask("EXISTS a b c").ShouldBe(":0");
    }

    [Fact]
    public async Task CommandOfATransaction_WithExecOnItsWay_LeavesNoResults()
    {
        Begin();
        await Late("SET b 2", then: "EXEC");
        _client.ReadLine()!.ShouldStartWith("-ERR MeshL4: the upstream closed the connection");
        _client.Ask("MULTI").ShouldBe("+OK");
    }

    /// <summary>What a client built up there goes with the connection, and so does the client.</summary>
    [Fact]
    public async Task CommandOfATransaction_OnAKeptConnection_LeavesNoResults()
    {
        _client.Ask("CLIENT NO-EVICT ON").ShouldBe("+OK");
        Begin();
        var end = await Should.ThrowAsync<IOException>(async () =>
        {
            await Late("SET b 2", then: "EXEC");
            _client.ReadLine()!.ShouldStartWith("-ERR MeshL4: ");
            _client.ReadLine();
        });
        end.InnerException.ShouldBeOfType<SocketException>().SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
    }

    [Fact]
    public async Task RequestOfItsOwn_EndsNothing()
    {
        _client.Ask("WATCH k").ShouldBe("+OK");
        await Late("EXISTS k", then: "EXISTS k");
        _client.ReadLine().ShouldBe(":0");
        _client.Ask("MULTI").ShouldBe("+OK");
        _client.Ask("EXISTS k").ShouldBe("+QUEUED");
        _client.Ask("EXEC").ShouldBe("*1");
    }

    /// <summary>The transaction went with the connection that did not answer: what follows is none of its commands.</summary>
    [Fact]
    public void Discard_WithoutAnAnswer_EndsTheTransaction()
    {
        Begin();
        _redis.Signal("STOP");
        _client.Ask("DISCARD").ShouldBe("-ERR MeshL4: no answer from the upstream in time");
        _redis.Signal("CONT");
        _client.Ask("SET b 2").ShouldBe("+OK");
        _client.Ask("EXISTS a b").ShouldBe(":1");
    }

    public void Dispose()
    {
        _client.Dispose();
        _proxy.Dispose();
        _redis.Dispose();
    }

    private void Begin()
    {
        _client.Ask("MULTI").ShouldBe("+OK");
        _client.Ask("SET a 1").ShouldBe("+QUEUED");
    }

    /// <summary>What follows is on its way when the time of the request is over, and has as long again for the server to go on.</summary>
    private async Task Late(string request, string then)
    {
        _redis.Signal("STOP");
        _client.Send(request + "\r\n");
        await Task.Delay(TimeSpan.FromSeconds(3));
        _client.Send(then + "\r\n");
        string? answer = _client.ReadLine();
        _redis.Signal("CONT");
        answer.ShouldBe("-ERR MeshL4: no answer from the upstream in time");
    }
}
