using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests;

public sealed class AllocationsTests
{
    [Fact]
    public void OfEvery_OfATableThatGrowsByDoubling_IsNotZero()
    {
        List<int> table = [];
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                table.Add(i);
            }
        }).ShouldBeGreaterThan(0);
    }

    [Fact]
    public void OfEvery_OfWhatAllocatesOnce_IsZero()
    {
        byte[]? once = null;
        Allocations.OfEvery(() => once ??= new byte[100]).ShouldBe(0);
    }
}
