using MeshL4.L4Proxy.Config.Xds.Grpc;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>A control plane that froze after it began to answer is found out by pings; one that has nothing to say is not.</summary>
public sealed class KeepAliveTests
{
    [Fact]
    public async Task PingsLeftUnanswered_EndTheStream()
    {
        // Long enough for the first message, which a busy machine may take seconds to bring.
        using var server = new RawHttp2Server(answersPings: false);
        await using GrpcStream stream = Open(server, TimeSpan.FromSeconds(6));
        (await ReadAsync(stream)).ShouldBe([]);
        GrpcException gone = await Should.ThrowAsync<GrpcException>(() => ReadAsync(stream));
        gone.Status.ShouldBe(GrpcStatus.Unavailable);
    }

    [Fact]
    public async Task PingsAnswered_KeepASilentStream()
    {
        using var server = new RawHttp2Server(answersPings: true, pingsUntilMessage: 3);
        await using GrpcStream stream = Open(server, TimeSpan.FromSeconds(10));
        (await ReadAsync(stream)).ShouldBe([]);
        (await ReadAsync(stream)).ShouldBe([], "the message behind the third ping");
    }

    /// <summary>Milliseconds would be rounded up: a second is the least that the runtime measures.</summary>
    private static GrpcStream Open(RawHttp2Server server, TimeSpan patience) => new(
        new GrpcTarget
        {
            Name = "raw", Authority = "raw", Connect = server.ConnectAsync, PingAfter = TimeSpan.FromSeconds(1), PingTimeout = patience,
        },
        "/a.b/C");

    private static Task<byte[]?> ReadAsync(GrpcStream stream) => stream.ReadAsync(CancellationToken.None).AsTask().WaitAsync(Patience.Limit);
}
