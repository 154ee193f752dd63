using MeshL4.Interceptor.Plan;

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
            int distance = EditDistance.Of(name, one);
            best = distance < best.Distance ? (one, distance) : best;
        }

        // Of a short name, two letters are all there is.
        return best.Distance <= Nearby && best.Distance < name.Length ? best.Name : null;
    }
}
