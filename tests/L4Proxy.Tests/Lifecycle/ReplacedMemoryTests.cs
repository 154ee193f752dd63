using MeshL4.L4Proxy.Lifecycle;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Lifecycle;

public class ReplacedMemoryTests
{
    private const long Megabyte = 1 << 20;
    private readonly ReplacedMemory _memory;
    private (long Number, long Kept) _last = (1, 160 * Megabyte);
    private long _held = 160 * Megabyte;
    private int _collections;

    public ReplacedMemoryTests() => _memory = new ReplacedMemory(() => _held, () => _last, () => (int)_last.Number, () => _collections++);

    [Fact]
    public void GrowthByASixteenth_IsCollectedOnce()
    {
        At(165).ShouldBe(0);
        At(170).ShouldBe(0);
        At(171).ShouldBe(1);
        At(180).ShouldBe(1, "it has not ended yet");
    }

    [Fact]
    public void WhatACollectionLeft_IsTheMeasureOfTheNext()
    {
        At(171).ShouldBe(1);
        _last = (2, 320 * Megabyte);
        At(335).ShouldBe(1);
        At(341).ShouldBe(2);
        _last = (3, 16 * Megabyte);
        At(19).ShouldBe(2);
        At(21).ShouldBe(3, "what was 320 MB is 16 MB now");
    }

    [Fact]
    public void ALittleHeap_MayGrowByFourMegabytes()
    {
        _last = (1, 3 * Megabyte);
        At(7).ShouldBe(0);
        At(8).ShouldBe(1);
    }

    [Fact]
    public void CollectionOfTheRuntimesOwn_Counts()
    {
        At(165).ShouldBe(0);
        _last = (2, 170 * Megabyte);
        At(172).ShouldBe(0, "170 MB are in use");
        At(181).ShouldBe(1);
    }

    private int At(long megabytes)
    {
        _held = megabytes * Megabyte;
        _memory.Swapped();
        return _collections;
    }
}
