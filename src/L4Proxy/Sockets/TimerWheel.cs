using System.Numerics;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>
/// Hierarchical timing wheel: four levels of 64 buckets, one tick being 8 ms, so about 37 hours in all; later
/// timers wait in the last bucket and are put back. Arming and cancelling cost a list operation; the time to the
/// next timer comes from one bit mask per level, so an idle loop sleeps until something is due.
/// </summary>
internal sealed class TimerWheel
{
    public const int TickMilliseconds = 8;

    private const int Levels = 4;
    private const int Bits = 6;
    private const int Buckets = 1 << Bits;

    private readonly LoopTimer?[] _heads = new LoopTimer?[Levels * Buckets];
    private readonly ulong[] _occupied = new ulong[Levels];
    private readonly long _origin;
    private long _tick;

    public TimerWheel(long nowMilliseconds) => _origin = nowMilliseconds;

    public int Armed { get; private set; }

    /// <summary>Arms, or arms again, for <paramref name="delay"/> from now, rounded up to a tick.</summary>
    public void Arm(LoopTimer timer, TimeSpan delay)
    {
        Cancel(timer);

        // The wheel lags behind while the callbacks of one batch run: count from real time, so no delay is cut short.
        long now = Math.Max(_tick * TickMilliseconds, Environment.TickCount64 - _origin);
        long due = now + (long)Math.Ceiling(Math.Max(delay.TotalMilliseconds, 0));
        timer.DueTick = Math.Max(_tick + 1, (due + TickMilliseconds - 1) / TickMilliseconds);
        Insert(timer);
        Armed++;
    }

    public void Cancel(LoopTimer timer)
    {
        if (timer.IsArmed)
        {
            Unlink(timer);
            Armed--;
        }
    }

    /// <summary>For epoll_wait: -1 when nothing is armed.</summary>
    public int MillisecondsToNext(long nowMilliseconds)
    {
        if (Armed == 0)
        {
            return -1;
        }

        long dueMilliseconds = _origin + (NextTick() * TickMilliseconds);
        return (int)Math.Clamp(dueMilliseconds - nowMilliseconds, 0, int.MaxValue);
    }

    /// <summary>Fires everything due by <paramref name="nowMilliseconds"/>.</summary>
    public void Advance(long nowMilliseconds, EventLoop loop)
    {
        long target = (nowMilliseconds - _origin) / TickMilliseconds;
        while (_tick < target)
        {
            if (Armed == 0)
            {
                _tick = target;
                return;
            }

            _tick = Math.Min(target, NextTick());
            Cascade();
            Fire((int)(_tick & (Buckets - 1)), loop);
        }
    }

    /// <summary>The next tick at which a timer fires or a coarser bucket has to be spread over finer ones.</summary>
    private long NextTick()
    {
        long next = long.MaxValue;
        for (int level = 0; level < Levels; level++)
        {
            if (_occupied[level] != 0)
            {
                int shift = level * Bits;
                long following = (_tick >> shift) + 1;
                int ahead = BitOperations.TrailingZeroCount(
                    BitOperations.RotateRight(_occupied[level], (int)(following & (Buckets - 1))));
                next = Math.Min(next, (following + ahead) << shift);
            }
        }

        return next;
    }

    private void Cascade()
    {
        for (int level = 1; level < Levels && (_tick & ((1L << (level * Bits)) - 1)) == 0; level++)
        {
            int bucket = (level * Buckets) + (int)((_tick >> (level * Bits)) & (Buckets - 1));
            LoopTimer? timer = _heads[bucket];
            _heads[bucket] = null;
            _occupied[level] &= ~(1UL << (bucket & (Buckets - 1)));
            while (timer is not null)
            {
                LoopTimer? next = timer.Next;
                Insert(timer);
                timer = next;
            }
        }
    }

    private void Fire(int bucket, EventLoop loop)
    {
        // One at a time: a callback may cancel its neighbours.
        while (_heads[bucket] is { } timer && timer.DueTick <= _tick)
        {
            Unlink(timer);
            Armed--;
            loop.Guarded(timer.Callback, timer.State);
        }
    }

    private void Insert(LoopTimer timer)
    {
        long distance = timer.DueTick - _tick;
        int level = 0;
        while (level < Levels - 1 && distance >= 1L << ((level + 1) * Bits))
        {
            level++;
        }

        long at = Math.Min(timer.DueTick, _tick + (1L << (Levels * Bits)) - 1);
        int bucket = (level * Buckets) + (int)((at >> (level * Bits)) & (Buckets - 1));
        timer.Bucket = bucket;
        timer.Previous = null;
        timer.Next = _heads[bucket];
        if (timer.Next is not null)
        {
            timer.Next.Previous = timer;
        }

        _heads[bucket] = timer;
        _occupied[level] |= 1UL << (bucket & (Buckets - 1));
    }

    private void Unlink(LoopTimer timer)
    {
        int bucket = timer.Bucket;
        if (timer.Previous is null)
        {
            _heads[bucket] = timer.Next;
        }
        else
        {
            timer.Previous.Next = timer.Next;
        }

        if (timer.Next is not null)
        {
            timer.Next.Previous = timer.Previous;
        }

        if (_heads[bucket] is null)
        {
            _occupied[bucket >> Bits] &= ~(1UL << (bucket & (Buckets - 1)));
        }

        timer.Next = timer.Previous = null;
        timer.Bucket = -1;
    }
}
