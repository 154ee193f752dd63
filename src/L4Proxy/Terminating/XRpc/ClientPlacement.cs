using MeshL4.L4Proxy.Listening;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// Looks at what the loops do and says where clients are served, by <see cref="PlacementPlan"/>. One for all RPC protocols of the process; any
/// loop may ask, and the one that comes first when a round is over measures for all.
/// </summary>
/// <param name="workers">The loops.</param>
/// <param name="drain">Looks at a connection that was on its way when its chain was replaced.</param>
/// <param name="busy">Share of a processor from which on a loop gives clients away; 0 leaves them where they were accepted.</param>
internal sealed class ClientPlacement(IReadOnlyList<LoopWorker> workers, ChainDrain drain, double busy)
{
    /// <summary>Time between two looks: long enough that a moment's work is not taken for a busy loop.</summary>
    private const long RoundMs = 250;

    /// <summary>Loops without clients look once a second.</summary>
    private const long LongestRoundMs = 8 * RoundMs;

    private readonly Lock _measuring = new();
    private readonly PlacementPlan _plan = new(busy);
    private readonly long[] _used = new long[workers.Count];
    private readonly double[] _shares = new double[workers.Count];
    private long _measuredAtMs;
    private long _moved;
    private volatile Round _round = new(0, new PlacementMove?[workers.Count], null);

    /// <summary>Clients that went from one loop to another, since the start.</summary>
    public long Moved => Volatile.Read(ref _moved);

    private bool IsOn => busy > 0 && workers.Count > 1;

    /// <summary>The loop that is to serve a new client; null while that is not known.</summary>
    public LoopWorker? ForNew()
    {
        if (!IsOn)
        {
            return null;
        }

        Look();
        return _round.ForNew is { } best ? workers[best] : null;
    }

    /// <summary>What the clients of a loop are to do, once for every round that has something for it.</summary>
    /// <param name="worker">The loop that asks.</param>
    /// <param name="seen">The round it saw last; the caller keeps it.</param>
    public (LoopWorker Target, bool All)? MoveOf(LoopWorker worker, ref long seen)
    {
        if (!IsOn)
        {
            return null;
        }

        Look();
        Round round = _round;
        if (round.Number == seen)
        {
            return null;
        }

        seen = round.Number;
        return round.Moves[worker.Loop.Index] is { } move ? (workers[move.Target], move.All) : null;
    }

    /// <summary>Takes a connection to another loop; the code behind goes on there.</summary>
    /// <returns>Whether it is still to be served.</returns>
    public async ValueTask<bool> MoveAsync(Downstream downstream, LoopWorker target)
    {
        LoopMove move = downstream.MoveTo(target);
        await move;
        if (move.Arrived)
        {
            Interlocked.Increment(ref _moved);
            drain.Chosen(downstream);
        }

        return move.Arrived;
    }

    private void Look()
    {
        long nowMs = Environment.TickCount64;
        if (nowMs - Volatile.Read(ref _measuredAtMs) < RoundMs || !_measuring.TryEnter())
        {
            return;
        }

        try
        {
            if (nowMs - _measuredAtMs >= RoundMs)
            {
                Measure(nowMs);
            }
        }
        finally
        {
            _measuring.Exit();
        }
    }

    private void Measure(long nowMs)
    {
        double nanoseconds = (nowMs - _measuredAtMs) * 1e6;
        double[] before = [.. _shares];
        bool known = nowMs - _measuredAtMs <= LongestRoundMs;
        for (int i = 0; i < workers.Count; i++)
        {
            long used = workers[i].Loop.ProcessorTime;
            known &= used > 0;
            (_shares[i], _used[i]) = ((used - _used[i]) / nanoseconds, used);
        }

        // Where the kernel does not tell, and behind a time in which nobody looked, everybody stays.
        _round = known
            ? new Round(_round.Number + 1, _plan.Moves(_shares, before), _plan.ForNew(_shares))
            : new Round(_round.Number + 1, new PlacementMove?[workers.Count], null);
        Volatile.Write(ref _measuredAtMs, nowMs);
    }

    /// <summary>What was decided at one look.</summary>
    private sealed record Round(long Number, PlacementMove?[] Moves, int? ForNew);
}
