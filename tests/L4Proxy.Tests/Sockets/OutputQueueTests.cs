using System.Net.Sockets;
using FsCheck;
using FsCheck.Fluent;
using MeshL4.L4Proxy.Sockets;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Sockets;

/// <summary>The queue of bytes to be sent against a plain list of bytes, and what it gives back.</summary>
public sealed class OutputQueueTests
{
    private readonly LoopMemory _memory = new();

    private enum Act { Append, Write, ReserveOnly, Consume, Move, Clear }

    [Fact]
    public void Queue_AnyWritesAndConsumes_KeepsTheBytesInOrder() => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Choose(0, 99).Select(ActOf).Zip(Lengths()).ListOf(60).ToArbitrary(),
        static steps =>
        {
            var memory = new LoopMemory();
            var queue = new OutputQueue(memory);
            var model = new Model();
            foreach ((Act act, int length) in steps)
            {
                queue = Do(act, length, queue, memory, model);
                memory.RentedBytes.ShouldBe(queue.HeldBytes);
                if (queue.Length != model.Length || queue.IsEmpty != (model.Length == 0) || (queue.First.IsEmpty && model.Length > 0) || !model.BeginsWith(queue.First))
                {
                    throw new ShouldAssertException($"{act} of {length} left {queue.Length} bytes, {queue.First.Length} in the first piece, and {model.Length} are right");
                }
            }

            while (!queue.IsEmpty)
            {
                model.BeginsWith(queue.First).ShouldBeTrue();
                model.Sent += queue.First.Length;
                queue.Consume(queue.First.Length);
            }

            model.Length.ShouldBe(0);
            queue.Clear();
            memory.Rented.ShouldBe(0);
        }));

    [Fact]
    public void Queue_EmptiedByConsume_HoldsNoBlock()
    {
        var queue = new OutputQueue(_memory);
        queue.Append(new byte[200_000]);
        _memory.Rented.ShouldBeGreaterThan(0);
        Drain(queue).ShouldBe(200_000);
        _memory.Rented.ShouldBe(0);
    }

    /// <summary>What many small answers hold: no more than their bytes and one block.</summary>
    [Fact]
    public void Queue_OfManySmallPieces_HoldsLittleMoreThanTheirBytes()
    {
        var queue = new OutputQueue(_memory);
        for (int i = 0; i < 100_000; i++)
        {
            queue.Append(new byte[37]);
        }

        (_memory.RentedBytes - queue.Length).ShouldBeLessThanOrEqualTo(LoopMemory.LargeBlock);
    }

    [Fact]
    public void Queue_UsedAgain_AllocatesNothing()
    {
        var queue = new OutputQueue(_memory);
        byte[] bytes = new byte[10_000];
        Cycle(queue, bytes);
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                Cycle(queue, bytes);
            }
        }).ShouldBe(0);
    }

    /// <summary>A block that was asked for and not written to is no byte to be sent; a send of nothing would look like a lost connection.</summary>
    [Fact]
    public async Task SendTo_WithABlockReservedOnly_SendsTheRest()
    {
        using var fixture = new TestKit.LoopFixture();
        using TestKit.SocketPair pair = await TestKit.SocketPair.OpenAsync(fixture);
        bool alive = await fixture.OnAsync(() =>
        {
            var queue = new OutputQueue(fixture.Loop.Memory);
            queue.Append("hello"u8);
            queue.GetSpan(LoopMemory.LargeBlock);
            queue.GetSpan(2 * LoopMemory.LargeBlock);
            bool sent = queue.SendTo(pair.Near);
            queue.IsEmpty.ShouldBeTrue();
            queue.Clear();
            return sent;
        });

        alive.ShouldBeTrue();
        byte[] received = new byte[5];
        (await pair.Far.ReceiveAsync(received, SocketFlags.None)).ShouldBe(5);
        (await fixture.HeldAsync()).ShouldBe(0);
    }

    private static Act ActOf(int percent) => percent switch
    {
        < 35 => Act.Append,
        < 60 => Act.Write,
        < 70 => Act.ReserveOnly,
        < 95 => Act.Consume,
        < 98 => Act.Move,
        _ => Act.Clear,
    };

    /// <summary>Lengths around those of blocks, most of them small.</summary>
    private static Gen<int> Lengths() => Gen.OneOf(
        Gen.Choose(0, 100), Gen.Choose(LoopMemory.SmallBlock - 2, LoopMemory.SmallBlock + 2), Gen.Choose(0, 70_000));

    private static OutputQueue Do(Act act, int length, OutputQueue queue, LoopMemory memory, Model model)
    {
        switch (act)
        {
            case Act.Append:
                byte[] bytes = new byte[length];
                model.Write(bytes);
                queue.Append(bytes);
                break;
            case Act.Write:
                model.Write(queue.GetSpan(length)[..length]);
                queue.Advance(length);
                break;
            case Act.ReserveOnly:
                queue.GetMemory(length).Length.ShouldBeGreaterThanOrEqualTo(length);
                break;
            case Act.Consume when !queue.IsEmpty:
                int count = Math.Min(Math.Max(length, 1), queue.First.Length);
                queue.Consume(count);
                model.Sent += count;
                break;
            case Act.Move:
                var other = new OutputQueue(memory);
                queue.MoveTo(other);
                queue.IsEmpty.ShouldBeTrue();
                return other;
            case Act.Clear:
                queue.Clear();
                model.Sent = model.Written;
                break;
        }

        return queue;
    }

    private static int Drain(OutputQueue queue)
    {
        int count = 0;
        while (!queue.IsEmpty)
        {
            count += queue.First.Length;
            queue.Consume(queue.First.Length);
        }

        return count;
    }

    private static void Cycle(OutputQueue queue, byte[] bytes)
    {
        queue.Append(bytes);
        queue.Append(bytes);
        while (!queue.IsEmpty)
        {
            queue.Consume(queue.First.Length);
        }
    }

    /// <summary>What a queue holds when each byte is the number of those before it.</summary>
    private sealed class Model
    {
        public long Written { get; private set; }

        public long Sent { get; set; }

        public long Length => Written - Sent;

        public void Write(Span<byte> bytes)
        {
            foreach (ref byte one in bytes)
            {
                one = ByteAt(Written++);
            }
        }

        public bool BeginsWith(ReadOnlySpan<byte> bytes)
        {
            for (int i = 0; i < bytes.Length; i++)
            {
                if (bytes[i] != ByteAt(Sent + i))
                {
                    return false;
                }
            }

            return bytes.Length <= Length;
        }

        /// <summary>Blocks have lengths of powers of two: a prime tells their contents apart.</summary>
        private static byte ByteAt(long position) => (byte)(position % 251);
    }
}
