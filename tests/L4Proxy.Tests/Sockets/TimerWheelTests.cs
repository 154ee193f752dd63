using MeshL4.L4Proxy.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Sockets;

/// <summary>The wheel is driven with times ahead of the clock, so its own clock never moves it.</summary>
public sealed class TimerWheelTests : IDisposable
{
    private readonly EventLoop _loop = new(0, NullLogger.Instance);
    private readonly long _origin = Environment.TickCount64 + (long)TimeSpan.FromHours(1).TotalMilliseconds;

    public void Dispose() => _loop.Dispose();

    [Fact]
    public void MillisecondsToNext_NothingArmed_IsMinusOne()
    {
        var wheel = new TimerWheel(_origin);
        var timer = new LoopTimer(static _ => { }, null);
        wheel.MillisecondsToNext(_origin).ShouldBe(-1);
        wheel.Arm(timer, TimeSpan.FromSeconds(1));
        wheel.Cancel(timer);
        wheel.MillisecondsToNext(_origin).ShouldBe(-1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Advance_RandomArmsAndCancels_FiresWhatTheOracleSays(int seed)
    {
        var random = new Random(seed);
        var wheel = new TimerWheel(_origin);
        var due = new Dictionary<int, long>();
        long now = 0;
        var late = new List<string>();
        var timers = new LoopTimer[200];
        for (int i = 0; i < timers.Length; i++)
        {
            timers[i] = new LoopTimer(id => Fired((int)id!, due, ref now, late), i);
        }

        for (int step = 0; step < 4000; step++)
        {
            int id = random.Next(timers.Length);
            if (random.Next(4) == 0)
            {
                wheel.Cancel(timers[id]);
                due.Remove(id);
            }
            else
            {
                long delay = RandomDelay(random);
                wheel.Arm(timers[id], TimeSpan.FromMilliseconds(delay));
                due[id] = now + delay;
            }

            wheel.Armed.ShouldBe(due.Count);
            now = NextTime(random, wheel, due, now);
            wheel.Advance(_origin + now, _loop);
            late.ShouldBeEmpty();
            due.Values.ShouldAllBe(at => at > now);
        }

        now.ShouldBeGreaterThan((long)TimeSpan.FromHours(37).TotalMilliseconds);
        _loop.Faults.ShouldBe(0);
    }

    [Fact]
    public void Advance_CallbackCancelsNeighbours_TheyDoNotFire()
    {
        var wheel = new TimerWheel(_origin);
        var timers = new LoopTimer[8];
        int fired = 0;
        for (int i = 0; i < timers.Length; i++)
        {
            timers[i] = new LoopTimer(
                _ =>
                {
                    fired++;
                    Array.ForEach(timers, wheel.Cancel);
                },
                null);
            wheel.Arm(timers[i], TimeSpan.FromMilliseconds(100));
        }

        wheel.Advance(_origin + 200, _loop);
        fired.ShouldBe(1);
        wheel.Armed.ShouldBe(0);
    }

    [Fact]
    public void Advance_CallbackArmsAgainForNow_FiresOnALaterTick()
    {
        var wheel = new TimerWheel(_origin);
        int fired = 0;
        LoopTimer? timer = null;
        timer = new LoopTimer(
            _ =>
            {
                if (++fired < 5)
                {
                    wheel.Arm(timer!, TimeSpan.Zero);
                }
            },
            null);
        wheel.Arm(timer, TimeSpan.Zero);
        wheel.Advance(_origin + (5 * TimerWheel.TickMilliseconds), _loop);
        fired.ShouldBe(5);
    }

    [Fact]
    public void Arm_BetweenTicks_IsNotCutShort()
    {
        // The clock stands 7 ms into a tick; a floor would lose those.
        var wheel = new TimerWheel(Environment.TickCount64 - 7);
        long before = Environment.TickCount64;
        var timer = new LoopTimer(static _ => { }, null);
        wheel.Arm(timer, TimeSpan.FromMilliseconds(8));
        wheel.MillisecondsToNext(before).ShouldBeGreaterThanOrEqualTo(8);
    }

    private static void Fired(int id, Dictionary<int, long> due, ref long now, List<string> late)
    {
        if (!due.Remove(id, out long at))
        {
            late.Add($"{id} fired and was not armed");
        }
        else if (at > now)
        {
            late.Add($"{id} fired {at - now} ms early");
        }
    }

    private static long RandomDelay(Random random) => random.Next(5) switch
    {
        0 => random.Next(1, 20),
        1 => random.Next(1, 2_000),
        2 => random.Next(1, 400_000),
        3 => random.Next(1, 100_000_000),
        _ => random.NextInt64(1, 600_000_000),
    };

    /// <summary>Half the time exactly when the wheel asks to be called, which must not be after the earliest timer's tick.</summary>
    private long NextTime(Random random, TimerWheel wheel, Dictionary<int, long> due, long now)
    {
        int wait = wheel.MillisecondsToNext(_origin + now);
        if (due.Count == 0)
        {
            wait.ShouldBe(-1);
            return now + (random.Next(20) * TimerWheel.TickMilliseconds);
        }

        (now + wait).ShouldBeLessThan(due.Values.Min() + TimerWheel.TickMilliseconds);
        long jump = random.NextInt64(RandomDelay(random) + 1) / TimerWheel.TickMilliseconds * TimerWheel.TickMilliseconds;
        return now + (random.Next(2) == 0 ? wait : jump);
    }
}
