using System.Text;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 5: a client sends and never reads, and what it does not read grows without limit.</summary>
public sealed class Entry05_ClientsThatNeverRead
{
    private const int Crowd = 1000;
    private const int Loops = 2;
    private const int ValueBytes = 512 * 1024;
    private const long KiB = 1024;

    /// <summary>docs/xrpc.md: what one client may hold, one read on top, and the block of the read that goes over.</summary>
    private const long PerClient = (1024 + 64 + 64) * KiB;

    /// <summary>docs/xrpc.md: what all clients of a loop may hold, and what the one has that finds the bound passed.</summary>
    private const long PerLoop = (256 * 1024 * KiB) + PerClient;

    /// <summary>docs/xrpc.md: requests that wait, of each client, and what a server connection of each loop has not taken.</summary>
    private const long Requests = (Crowd * 64 * KiB) + (Loops * 1024 * KiB);

    /// <summary>
    /// Most ask for as much as one client may hold, together for twice what the loops may; every tenth for a hundred times that.
    /// </summary>
    [Fact]
    public void AnswersNobodyReads_AreBoundedAndTheOthersGoOn()
    {
        using var front = new RedisFront();
        using (Call setter = Call.To(front.Port))
        {
            setter.Send(RedisFront.Command("SET", "big", new string('x', ValueBytes)));
            setter.ReadLine().ShouldBe("+OK");
        }

        string few = string.Concat(Enumerable.Repeat(RedisFront.Command("GET", "big"), 2));
        string many = string.Concat(Enumerable.Repeat(few, 100));
        List<Call> crowd = [.. Enumerable.Range(0, Crowd).Select(_ => Call.WithSmallBuffers(front.Port))];
        for (int i = 0; i < Crowd; i++)
        {
            crowd[i].Send(i % 10 == 0 ? many : few);
        }

        // Until every answer is held, or its client is closed.
        long most = 0;
        Wait.Until(
            () =>
            {
                front.Witness();
                most = Math.Max(most, front.Proxy.Stat("meshl4.buffer_bytes_rented"));
                return front.Proxy.Stat("redis.r.downstream_rq_total") >= Crowd * 19 / 10 && front.Proxy.Stat("redis.r.downstream_rq_active") == 0;
            },
            "requests stay in flight");

        most.ShouldBeLessThan(Math.Min(Crowd * PerClient, Loops * PerLoop) + Requests);
        most.ShouldBeGreaterThan(64 * 1024 * KiB);

        // They are told apart from clients that read slowly: those who take nothing at all are closed in the end, or earlier where the loop has no room.
        front.Proxy.LoggedLines(Crowd, "details=downstream_", 60).ShouldAllBe(static line => line.Contains("downstream_too_slow") || line.Contains("downstream_backlog_limit"));
        using Call next = Call.To(front.Port);
        next.Ask("STRLEN big").ShouldBe($":{ValueBytes}");
        crowd.ForEach(static client => client.Dispose());
        Wait.Until(() => front.Proxy.Stat("meshl4.buffers_rented") == 0, "everything is given back");
    }
    /// <summary>What one client does not take stops its server, long before the client is given up; what is held does not grow.</summary>
    [Fact]
    public void AnswersNobodyReads_AreNotReadFromTheirServerEither()
    {
        using var front = RedisFront.Common(", limits: {slow_reader_timeout: 300s}");
        using Call client = Call.WithSmallBuffers(front.Port);
        client.Send(RedisFront.Command("SET", "big", new string('x', ValueBytes)));
        client.ReadLine().ShouldBe("+OK");

        // One after another, so that the size of the answers is known.
        for (int i = 0; i < 200; i++)
        {
            client.Send(RedisFront.Command("GET", "big"));
        }

        Wait.Until(() => front.Proxy.Stat("cluster.tested.upstream_cx_rx_bytes_total") > ValueBytes, "no answer comes");
        for (int i = 0; i < 40; i++)
        {
            front.Witness();
            front.Proxy.Stat("meshl4.buffer_bytes_rented").ShouldBeLessThan(PerClient + (64 * KiB));
            front.Proxy.Stat("cluster.tested.upstream_cx_rx_bytes_total").ShouldBeLessThan(8 * 1024 * KiB);
        }
    }

    /// <summary>The codec holds nothing of an answer: 64 MB of one pass through it and leave no byte.</summary>
    [Fact]
    public void LongAnswer_LeavesNothingInTheCodec()
    {
        byte[] piece = Encoding.ASCII.GetBytes(new string('x', 64 * 1024));
        RespCodec codec = RespCodec.Start(Side.Upstream, CodecLimits.Default);
        var head = default(FrameHead);
        codec.Scan("$67108864\r\n"u8, ref head, out _);
        codec.Scan(piece, ref head, out _);
        long before = GC.GetAllocatedBytesForCurrentThread();
        long taken = 0;
        for (int i = 1; i < 1024; i++)
        {
            taken += codec.Scan(piece, ref head, out int consumed) == ScanStatus.More ? consumed : 0;
        }

        ScanStatus ending = codec.Scan("\r\n"u8, ref head, out _);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(piece.Length);
        (taken, ending).ShouldBe((1023L * piece.Length, ScanStatus.Done));
    }
}
