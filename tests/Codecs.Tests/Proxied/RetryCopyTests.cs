using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Requests that are kept for another try: up to the client's bound, and those beyond have one try.</summary>
public sealed class RetryCopyTests
{
    private const int Calls = 40;
    private const int Length = 60_000;

    [Fact]
    public async Task CallsInFlight_BeyondWhatIsHeldForAClient_AreNotTriedAgain()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            more: ", policies: {retry: {num_retries: 1, per_try_timeout: 5s, min_retry_concurrency: 100, budget_percent: {value: 100}}}");
        PingPongConnection client = mesh.Connect();
        for (uint id = 1; id <= Calls; id++)
        {
            // Short answers: there is room for as many calls in flight.
            (await CallAsync(client, id, "echo", "short")).Payload.ShouldBe("short");
        }

        // Twice: what was kept for the first is free.
        for (uint round = 1; round <= 2; round++)
        {
            mesh.Server.IsFrozen = true;
            int before = mesh.Server.Waiting;
            Task sending = client.WriteAsync([.. Enumerable.Range(1, Calls).Select(id => Call((uint)id, "who", new string('x', Length)) with { IsIdempotent = true })]);
            await Patience.UntilAsync(() => mesh.Server.Waiting == before + Calls, "the server has all calls", () => $"{mesh.Server.Waiting} {mesh.Proxy.Said}");
            await sending;
            mesh.Server.IsFrozen = false;
            int again = 0;
            for (int i = 0; i < Calls; i++)
            {
                again += (await Next(client)).Kind == PingPongKind.Result ? 1 : 0;
            }

            again.ShouldBe((1024 * 1024) / (Length + PingPongFrame.HeadLength + "who".Length));
        }
    }
}
