using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 5: a client sends and never reads, and what it does not read grows without limit.</summary>
public sealed class Entry05_ClientsThatNeverRead
{
    private const int Crowd = 100;
    private const int ValueBytes = 512 * 1024;

    /// <summary>docs/xrpc.md: what one client may hold, one read on top, and the memory of the read that goes over.</summary>
    private const long PerClient = (1024 + 64 + 64) * 1024;

    [Fact]
    public void AnswersNobodyReads_AreBoundedAndTheOthersGoOn()
    {
        using var front = new RedisFront();
        using (Call setter = Call.To(front.Port))
        {
            setter.Send(RedisFront.Command("SET", "big", new string('x', ValueBytes)));
            setter.ReadLine().ShouldBe("+OK");
        }

        string requests = string.Concat(Enumerable.Repeat(RedisFront.Command("GET", "big"), 200));
        List<Call> crowd = [.. Enumerable.Range(0, Crowd).Select(_ => Call.To(front.Port))];
        crowd.ForEach(client => client.Send(requests));

        for (int i = 0; i < 20; i++)
        {
            front.Witness();
            front.Proxy.Stat("meshl4.buffer_bytes_rented").ShouldBeLessThan(Crowd * PerClient);
            Thread.Sleep(50);
        }

        // They are told apart from clients that read slowly: those who take nothing at all are closed in the end.
        front.Proxy.LoggedLines(Crowd, "downstream_too_slow", 60).Count.ShouldBe(Crowd);
        using Call next = Call.To(front.Port);
        next.Ask("STRLEN big").ShouldBe($":{ValueBytes}");
        crowd.ForEach(static client => client.Dispose());
        Wait.Until(() => front.Proxy.Stat("meshl4.buffers_rented") == 0, "everything is given back");
    }
}
