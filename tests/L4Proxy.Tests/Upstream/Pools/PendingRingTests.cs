using FsCheck;
using FsCheck.Fluent;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.TestKit;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Upstream.Pools;

/// <summary>The ring of requests in flight against the framework's queue.</summary>
public sealed class PendingRingTests
{
    private readonly PendingRing<RespCodec> _ring = new();

    [Fact]
    public void Ring_AnyAddsAndRemoves_IsAQueue() => Check.QuickThrowOnFailure(Prop.ForAll(
        Gen.Choose(-3, 4).ListOf(200).ToArbitrary(),
        static steps =>
        {
            var ring = new PendingRing<RespCodec>();
            var model = new Queue<ulong>();
            ulong next = 1;
            foreach (int step in steps)
            {
                // Adds outweigh removes a little, so that the ring grows while its head is anywhere.
                for (int i = 0; i < Math.Abs(step) * 5; i++)
                {
                    if (step > 0)
                    {
                        Add(ring, next);
                        model.Enqueue(next++);
                    }
                    else if (model.TryDequeue(out ulong oldest))
                    {
                        if (ring.Head.Id != oldest)
                        {
                            throw new ShouldAssertException($"{ring.Head.Id} is the oldest, not {oldest}");
                        }

                        ring.RemoveHead();
                    }
                }

                Enumerable.Range(0, ring.Count).Select(index => ring[index].Id).SequenceEqual(model).ShouldBeTrue();
                ring.IsEmpty.ShouldBe(model.Count == 0);
            }
        }));

    [Fact]
    public void Ring_WithAsManyAsFit_IsFull_AndTakesOneAgainBehindAnAnswer()
    {
        for (int i = 0; i < PendingRing<RespCodec>.Capacity; i++)
        {
            Add(_ring, (ulong)i);
        }

        _ring.Count.ShouldBe(PendingRing<RespCodec>.Capacity);
        _ring.IsFull.ShouldBeTrue();
        _ring.RemoveHead();
        _ring.IsFull.ShouldBeFalse();
        _ring.Head.Id.ShouldBe(1ul);
        _ring[_ring.Count - 1].Id.ShouldBe((ulong)PendingRing<RespCodec>.Capacity - 1);
    }

    [Fact]
    public void Ring_InUseForLong_AllocatesNothing()
    {
        for (int i = 0; i < 100; i++)
        {
            Add(_ring, 0);
        }

        Allocations.OfEvery(() =>
        {
            for (ulong i = 0; i < 100_000; i++)
            {
                _ring.RemoveHead();
                Add(_ring, i);
            }
        }).ShouldBe(0);
        _ring.Count.ShouldBe(100);
    }

    /// <summary>What is over must not keep its client alive.</summary>
    [Fact]
    public void RemoveHead_ForgetsWhatTheRequestHeld()
    {
        ref Pending<RespCodec> pending = ref _ring.Add();
        pending.State = new();
        _ring.RemoveHead();
        for (int i = 0; i < 15; i++)
        {
            Add(_ring, 0);
        }

        // The same place again, before anything was written to it.
        _ring.Add().State.ShouldBeNull();
    }

    private static void Add(PendingRing<RespCodec> ring, ulong id) => ring.Add() = new Pending<RespCodec> { Id = id };
}
