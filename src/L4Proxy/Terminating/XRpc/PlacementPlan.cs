namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>What a loop is to do with its clients.</summary>
/// <param name="Target">Index of the loop they go to.</param>
/// <param name="All">Every client, since one loop does for both; else every second one of those that had something to do.</param>
internal readonly record struct PlacementMove(int Target, bool All);

/// <summary>
/// On which loops clients of RPC protocols are served best. Those of one loop share connections, reads and writes, and wake a server once for
/// all of them: so few loops do the same work in less time, until they have no more time. Pure decisions over the shares of a processor that
/// the loops used, 0 to 1.
/// </summary>
/// <param name="Busy">Share from which on a loop gives clients away.</param>
internal readonly record struct PlacementPlan(double Busy)
{
    /// <summary>
    /// A loop takes new clients, and two loops become one, up to this part of <see cref="Busy"/>. One does the work of both in a fifth less time, and two that a busy one was spread over have more than
    /// its share together: clients do not go back and forth.
    /// </summary>
    private const double Roomy = 0.9;

    /// <summary>The loop for a new client: the first with room, else the one with the most.</summary>
    public int ForNew(ReadOnlySpan<double> shares)
    {
        int least = 0;
        for (int i = 0; i < shares.Length; i++)
        {
            if (shares[i] <= Busy * Roomy)
            {
                return i;
            }

            least = shares[i] < shares[least] ? i : least;
        }

        return least;
    }

    /// <summary>What each loop is to do; null for those that keep what they have.</summary>
    /// <param name="shares">Of the time that has just passed.</param>
    /// <param name="before">Of the time before it: a moment's work moves nobody.</param>
    public PlacementMove?[] Moves(ReadOnlySpan<double> shares, ReadOnlySpan<double> before)
    {
        var moves = new PlacementMove?[shares.Length];
        return Spread(shares, before, moves) ? moves : Gather(shares, before, moves);
    }

    /// <summary>Each busy loop gives to one that has less than half its work. False when none is busy.</summary>
    private bool Spread(ReadOnlySpan<double> shares, ReadOnlySpan<double> before, PlacementMove?[] moves)
    {
        bool anyBusy = false;
        bool[] taken = new bool[shares.Length];
        for (int i = 0; i < shares.Length; i++)
        {
            if (shares[i] < Busy)
            {
                continue;
            }

            anyBusy = true;
            int target = Least(shares, taken);
            if (before[i] >= Busy && shares[target] <= shares[i] / 2 && !taken[target])
            {
                taken[target] = true;
                moves[i] = new PlacementMove(target, All: false);
            }
        }

        return anyBusy;
    }

    private static int Least(ReadOnlySpan<double> shares, bool[] taken)
    {
        int least = 0;
        for (int i = 1; i < shares.Length; i++)
        {
            if (taken[least] || (!taken[i] && shares[i] < shares[least]))
            {
                least = i;
            }
        }

        return least;
    }

    /// <summary>What a loop has goes to the first one before it that can do both.</summary>
    private PlacementMove?[] Gather(ReadOnlySpan<double> shares, ReadOnlySpan<double> before, PlacementMove?[] moves)
    {
        double[] planned = shares.ToArray();
        for (int i = 0; i < planned.Length; i++)
        {
            planned[i] = Math.Max(planned[i], before[i]);
        }

        for (int i = shares.Length - 1; i > 0; i--)
        {
            for (int target = 0; target < i && moves[i] is null; target++)
            {
                if (planned[target] + planned[i] <= Busy * Roomy)
                {
                    planned[target] += planned[i];
                    moves[i] = new PlacementMove(target, All: true);
                }
            }
        }

        return moves;
    }
}
