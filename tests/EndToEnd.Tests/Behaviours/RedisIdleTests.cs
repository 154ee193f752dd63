using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Who is idle in the sense of <c>idle_timeout</c>: bytes either way tell.</summary>
public sealed class RedisIdleTests : IDisposable
{
    private const int IdleSeconds = 5;
    private readonly Peer _redis = Peer.Redis();

    [Fact]
    public void Subscriber_ThatOnlyListens_StaysWhileMessagesCome_AndASilentOneGoes()
    {
        int port = Ports.Free();
        string filter = Boot.XRpc("{forward: {cluster: main}}", $", idle_timeout: {IdleSeconds}s");
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(filter)).With(Boot.Cluster("main", [_redis.Address])));
        using Call listens = Subscribe(port, "news");
        using Call silent = Subscribe(port, "nothing");
        using Call publisher = Call.To(_redis.Port);
        for (int message = 0; message < 10 * IdleSeconds; message++)
        {
            publisher.Send(RedisFront.Command("PUBLISH", "news", $"{message}"));
            publisher.ReadLine().ShouldBe(":1");
            Lines(listens, 7)[^1].ShouldBe($"{message}");
            Thread.Sleep(200);
        }

        silent.Ends().ShouldBeTrue();
        proxy.Logged("details=idle_timeout").ShouldContain($"remote={silent.Local}");
    }

    public void Dispose() => _redis.Dispose();

    private static Call Subscribe(int port, string channel)
    {
        Call client = Call.To(port);
        client.Send(RedisFront.Command("SUBSCRIBE", channel));
        Lines(client, 6)[^1].ShouldBe(":1");
        return client;
    }

    private static string[] Lines(Call client, int count) => [.. Enumerable.Range(0, count).Select(_ => client.ReadLine()!)];
}
