using MeshL4.L4Proxy.Filtering;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Filtering;

public sealed class TokenBucketTests
{
    private sealed class Clock : TimeProvider
    {
        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Milliseconds;
    }

    private readonly Clock _clock = new();

    private int Take(TokenBucket bucket, int tries) => Enumerable.Range(0, tries).Count(_ => bucket.TryTake());

    [Fact]
    public void TryTake_Full_GivesWhatItHolds() => Take(new TokenBucket(3, 1, TimeSpan.FromSeconds(1), _clock), 10).ShouldBe(3);

    [Fact]
    public void TryTake_AfterFills_GivesWhatTheyBrought()
    {
        var bucket = new TokenBucket(3, 2, TimeSpan.FromSeconds(1), _clock);
        Take(bucket, 3);
        _clock.Milliseconds = 999;
        bucket.TryTake().ShouldBeFalse();
        _clock.Milliseconds = 1000;
        Take(bucket, 10).ShouldBe(2);
    }

    [Fact]
    public void TryTake_AfterLongQuiet_HoldsNoMoreThanTheMost()
    {
        var bucket = new TokenBucket(3, 2, TimeSpan.FromSeconds(1), _clock);
        Take(bucket, 3);
        _clock.Milliseconds = long.MaxValue / 20_000;
        Take(bucket, 10).ShouldBe(3);
    }

    [Theory]
    [InlineData(3, 2, 1, 1)]
    [InlineData(4, 2, 1, 4)]
    [InlineData(3, 1, 1, 3)]
    [InlineData(3, 2, 2, 3)]
    public void Continue_HoldsWhatOneOfTheSameSettingsHeld(uint most, uint filled, int seconds, int left)
    {
        var before = new TokenBucket(3, 2, TimeSpan.FromSeconds(1), _clock);
        Take(before, 2);
        var after = new TokenBucket(most, filled, TimeSpan.FromSeconds(seconds), _clock);
        after.Continue(before);
        Take(after, 10).ShouldBe(left);

        // Those who are asked by the one before take from the same.
        before.TryTake().ShouldBe(left > 1);
    }

    [Fact]
    public async Task TryTake_ManyThreads_GivesEachTokenOnce()
    {
        var bucket = new TokenBucket(1000, 1, TimeSpan.FromDays(1), TimeProvider.System);
        int[] taken = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Take(bucket, 1000))));
        taken.Sum().ShouldBe(1000);
    }
}
