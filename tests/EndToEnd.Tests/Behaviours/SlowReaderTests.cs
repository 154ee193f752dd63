using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;
using Turns = MeshL4.TestKit.Turns;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Who reads slowly, and who never reads, on one server connection that each of them holds up.</summary>
public sealed class SlowReaderTests
{
    private const int Silent = 8;
    private const int ValueBytes = 16 * 1024 * 1024;

    /// <summary>Once the loop's patience is used up, a client that has shown that it reads still has the whole of it.</summary>
    [Fact]
    public async Task ReaderAmongClientsThatNeverRead_GetsItsAnswersInOrder()
    {
        const int Tries = 3;
        for (int tries = 1; tries <= Tries; tries++)
        {
            var turns = new Turns();
            try
            {
                await ReadAmongClientsThatNeverReadAsync(turns);
                return;
            }
            catch (IOException) when (tries < Tries && turns.WereHeldUp)
            {
                // Held up for a quarter of a second amid its answer, as by a machine that stands still, it cannot be told from those: not every time.
            }
        }
    }

    private static async Task ReadAmongClientsThatNeverReadAsync(Turns turns)
    {
        using var redis = Peer.Redis();
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(
            new Boot().Listen("l", port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: c}", timeout: "60s"))).With(Boot.Cluster("c", [redis.Address])), concurrency: 1);
        List<Call> crowd = [.. Enumerable.Range(0, Silent).Select(_ => Call.To(port))];
        using Call last = Call.To(port);
        using Call reader = Call.To(port);
        reader.Socket.ReceiveBufferSize = 64 * 1024;
        reader.Send(RedisFront.Command("SET", "big", new string('x', ValueBytes)));
        reader.ReadLine().ShouldBe("+OK");
        reader.Send(RedisFront.Command("GET", "big"));
        ReadBig(reader, new Turns(), pause: 5);

        // All ask before the first answer comes: they are behind each other on the one connection. What the reader has shown counts for 10 s.
        redis.Signal("STOP");
        long asked = 0;
        foreach (Call[] next in (Call[][])[[.. crowd], [reader], [last]])
        {
            Array.ForEach(next, client => client.Send(RedisFront.Command("GET", client == last ? "none" : "big")));
            asked += next.Length;
            Wait.Until(() => proxy.Stat("redis.r.downstream_rq_active") == asked, "a request did not arrive");
        }

        var reading = Task.Factory.StartNew(() => ReadBig(reader, turns, pause: 0), TaskCreationOptions.LongRunning);
        redis.Signal("CONT");

        await reading;
        last.ReadLine().ShouldBe("$-1");
        reader.Ask("STRLEN big").ShouldBe($":{ValueBytes}");
        proxy.LoggedLines(Silent, "downstream_too_slow", 60).Count.ShouldBe(Silent);
        crowd.ForEach(static client => client.Dispose());
    }

    /// <summary>The kernel takes more of an answer only when megabytes of its buffer are free: one that takes little at a time, and takes it, is not stuck.</summary>
    [Fact]
    public void ReaderThatTakesALittleAtATime_IsNotClosed()
    {
        using var front = RedisFront.Common(", limits: {slow_reader_timeout: 5s}");
        using Call setter = Call.To(front.Port);
        setter.Send(RedisFront.Command("SET", "big", new string('x', ValueBytes)));
        setter.ReadLine().ShouldBe("+OK");
        using Call reader = Call.To(front.Port);
        reader.Socket.ReceiveBufferSize = 32 * 1024;
        reader.Send(RedisFront.Command("GET", "big"));
        reader.ReadLine().ShouldBe($"${ValueBytes}");
        const int Step = 10 * 1024;
        const int Steps = 100;
        for (int i = 0; i < Steps; i++)
        {
            reader.Take(Step).Length.ShouldBe(Step);
            Thread.Sleep(100);
        }

        reader.Take(ValueBytes - (Steps * Step)).AsSpan().IndexOfAnyExcept('x').ShouldBe(-1);
        reader.ReadLine().ShouldBe("");
        reader.Ask("PING").ShouldBe("+PONG");
    }

    /// <summary>What a proxy is told to hold for a client is there for one that reads when it has written all.</summary>
    [Fact]
    public void ClientThatWritesAllBeforeItReads_HasTheRoomThatIsConfigured()
    {
        const int Requests = 200_000;
        using var front = RedisFront.Common(", limits: {max_buffered_bytes: 33554432, slow_reader_timeout: 60s}");
        (string key, string value) = (new('k', 100), new('x', 100));
        using Call client = Call.To(front.Port);
        client.Send(RedisFront.Command("SET", key, value));
        client.ReadLine().ShouldBe("+OK");
        client.Send(string.Concat(Enumerable.Repeat(RedisFront.Command("GET", key), Requests)));
        string answer = $"$100\r\n{value}\r\n";
        client.Take(Requests * answer.Length).ShouldBe(string.Concat(Enumerable.Repeat(answer, Requests)));
    }

    private static void ReadBig(Call from, Turns turns, int pause)
    {
        turns.Next();
        try
        {
            Await(from, turns);
            from.ReadLine().ShouldBe($"${ValueBytes}");
            byte[] piece = new byte[64 * 1024];
            for (int read = 0; read < ValueBytes; read += piece.Length)
            {
                Await(from, turns);
                from.Stream.ReadExactly(piece);
                turns.Next();
                piece.AsSpan().IndexOfAnyExcept((byte)'x').ShouldBe(-1);
                Thread.Sleep(pause);
            }

            from.ReadLine().ShouldBe("");
        }
        finally
        {
            turns.Next();
        }
    }

    /// <summary>Until there is something to read, or for longer than a read waits.</summary>
    private static void Await(Call from, Turns turns)
    {
        for (int i = 0; i < 3_000 && !from.Socket.Poll(Turns.Wait, SelectMode.SelectRead); i++)
        {
            turns.Next();
        }
    }
}
