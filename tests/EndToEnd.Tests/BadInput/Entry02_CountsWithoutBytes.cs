using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 2: memory was allocated for what a client declared and never sent.</summary>
public sealed class Entry02_CountsWithoutBytes
{
    [Fact]
    public void DeclaredCount_OverTheLimit_IsAnErrorAndTheEnd()
    {
        using RedisFront front = RedisFront.OneLoop();
        front.Beside(() =>
        {
            foreach (string bytes in new[] { "*2000000000\r\n", "*1\r\n$2000000000\r\n", "*1\r\n$99999999999999999999\r\n" })
            {
                using Call client = Call.To(front.Port);
                client.Send(bytes);
                client.Send("*1\r\n$4\r\nPING\r\n");
                client.ReadLine().ShouldNotBeNull();
            }
        });
        Call.Ask(front.Port, "*-5\r\n$1\r\n*1\r\n$4\r\nPING\r").ShouldNotBeNull();
        front.Witness();

        // The last is no array, and then a word that is no command.
        front.Proxy.LoggedLines(3, "flags=DPE").ShouldAllBe(static line => line.Contains("details=redis_protocol_error"));
    }

    [Fact]
    public void DeclaredLengths_OfManyClients_TakeMemoryForWhatWasSentOnly() => TakeMemoryForWhatWasSentOnly(RedisFront.OneLoop());

    /// <summary>Who has not logged in can do no more harm: the limits come before the login.</summary>
    [Fact]
    public void DeclaredLengths_OfClientsWithoutALogin_TakeMemoryForWhatWasSentOnly() =>
        TakeMemoryForWhatWasSentOnly(RedisFront.Common("", loops: 1, password: "secret"));

    [Theory]
    [InlineData("*2000000000\r\n", ScanStatus.Bad)]
    [InlineData("*1\r\n$2000000000\r\n", ScanStatus.Bad)]
    [InlineData("*1\r\n$99999999999999999999\r\n", ScanStatus.Bad)]
    [InlineData("*1000000\r\n$536870912\r\nabc", ScanStatus.More)]
    public void DeclaredCount_TakesNoMemoryOfTheCodec(string bytes, ScanStatus ending)
    {
        ScannedFrame[] frames = RespScan.WithoutMemory(Side.Downstream, bytes);
        frames[^1].Status.ShouldBe(ending);
        RespScan.CutAnywhere(Side.Downstream, bytes);
    }

    private static void TakeMemoryForWhatWasSentOnly(RedisFront front)
    {
        using RedisFront owned = front;
        long before = front.Allocated();
        List<Call> crowd = [.. Enumerable.Range(0, 200).Select(_ => Call.To(front.Port))];
        front.Beside(() =>
        {
            crowd.ForEach(static client => client.Send("*1000000\r\n$536870912\r\nabc"));

            // The loop has them behind it when it answers who came later: the page below, which allocates too, is then asked for a few times only.
            Call.Ask(front.Port, "PING").ShouldNotBeNull();
            Wait.Until(() => front.Proxy.Stat("meshl4.buffers_rented") >= 200, "all have sent their beginning");
        });

        front.Proxy.Stat("meshl4.buffer_bytes_rented").ShouldBeLessThan(200 * 16 * 1024);
        (front.Allocated() - before).ShouldBeLessThan(32L * 1024 * 1024);
        front.Beside(() =>
        {
            crowd.ForEach(static client => client.Dispose());
            Wait.Until(() => front.Proxy.Stat("redis.r.downstream_cx_active") == 1, "they are gone");
        });
        Wait.Until(() => front.Proxy.Stat("meshl4.buffers_rented") == 0, "everything is given back");
    }
}
