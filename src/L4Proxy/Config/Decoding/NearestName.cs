namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Finds what a misspelt name may have meant.</summary>
internal static class NearestName
{
    /// <summary>Letters of difference up to which a name is taken for a misspelling.</summary>
    private const int Nearby = 2;

    /// <summary>Longer names are not compared: the work grows with both lengths.</summary>
    private const int Longest = 64;

    /// <summary>The known name with the fewest letters added, left out or changed; null when none is near.</summary>
    public static string? Of(string name, IEnumerable<string> known)
    {
        if (name.Length > Longest)
        {
            return null;
        }

        (string Name, int Distance) best = ("", Nearby + 1);
        foreach (string one in known.Where(one => Math.Abs(one.Length - name.Length) <= Nearby))
        {
            int distance = Distance(name, one);
            best = distance < best.Distance ? (one, distance) : best;
        }

        // Of a short name, two letters are all there is.
        return best.Distance <= Nearby && best.Distance < name.Length ? best.Name : null;
    }

    private static int Distance(string from, string to)
    {
        int[] before = new int[to.Length + 1], now = new int[to.Length + 1];
        for (int j = 0; j <= to.Length; j++)
        {
            before[j] = j;
        }

        for (int i = 1; i <= from.Length; i++)
        {
            now[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int exchanged = before[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                now[j] = Math.Min(exchanged, 1 + Math.Min(before[j], now[j - 1]));
            }

            (before, now) = (now, before);
        }

        return before[to.Length];
    }
}
