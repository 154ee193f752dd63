using MeshL4.L4Proxy.Terminating.XRpc;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Terminating;

public sealed class SharedPatienceTests
{
    private readonly SharedPatience _patience = new();

    [Fact]
    public void Patience_WithNobodyClosed_IsAQuarterOfASecond()
    {
        _patience.Tick();
        _patience.Milliseconds.ShouldBe(250);
        _patience.IsExhausted.ShouldBeFalse();
    }

    [Fact]
    public void TenThousandThatNeverRead_HoldTheOthersBackForAboutASecondTogether()
    {
        double together = 0;
        for (int i = 0; i < 10_000; i++)
        {
            together += _patience.IsExhausted ? 0 : _patience.Milliseconds;
            _patience.Closed();
        }

        together.ShouldBeLessThan(1000);
        _patience.Milliseconds.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void AClientThatReads_HasTheWholeTime_HoweverManyWereClosed()
    {
        Enumerable.Range(0, 10_000).ToList().ForEach(_ => _patience.Closed());
        _patience.For(reads: true).ShouldBe(250);
        _patience.For(reads: false).ShouldBe(_patience.Milliseconds);
    }

    [Fact]
    public void Patience_WhenNobodyIsClosedAnyMore_ComesBackWithinSeconds()
    {
        Enumerable.Range(0, 10_000).ToList().ForEach(_ => _patience.Closed());
        for (double passed = 0; passed < 15_000; passed += SharedPatience.TickInterval.TotalMilliseconds)
        {
            _patience.Tick();
        }

        _patience.Milliseconds.ShouldBeGreaterThan(200);
    }
}
