namespace MeshL4.L4Proxy.Filtering;

/// <summary>
/// Tells which loops are inside connect(2). The kernel may deliver a redirected dial to another loop before the dialling
/// loop has learnt its own local port; whoever looks a connection up waits out the dials under way, microseconds each.
/// </summary>
internal sealed class DialTurns
{
    /// <summary>Loops followed; a machine with more cores leaves the rest to the next re-entry.</summary>
    private const int MostLoops = 64;

    /// <summary>Counters a cache line apart.</summary>
    private const int Stride = 8;

    private readonly long[] _turns = new long[MostLoops * Stride];

    /// <summary>The loop enters connect(2). Its counter is odd until <see cref="End"/>.</summary>
    public void Begin(int loop) => Step(loop);

    /// <summary>The dial is registered, or failed.</summary>
    public void End(int loop) => Step(loop);

    /// <summary>Waits until every dial under way at the call has ended; true when there was one. Never called inside a dial.</summary>
    public bool WaitForOthers()
    {
        bool waited = false;
        for (int i = 0; i < _turns.Length; i += Stride)
        {
            long turn = Volatile.Read(ref _turns[i]);
            if ((turn & 1) == 0)
            {
                continue;
            }

            waited = true;
            SpinWait spin = default;
            while (Volatile.Read(ref _turns[i]) == turn)
            {
                spin.SpinOnce(sleep1Threshold: -1);
            }
        }

        return waited;
    }

    private void Step(int loop)
    {
        if (loop < MostLoops)
        {
            // One writer a counter; the exchange orders it before the system call.
            Interlocked.Increment(ref _turns[loop * Stride]);
        }
    }
}
