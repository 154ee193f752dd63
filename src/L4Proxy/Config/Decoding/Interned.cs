using System.Collections.Concurrent;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>
/// One object for equal values that ten thousand resources have in common: localities, TLS-match metadata, limits. Values must not
/// be changed afterwards. Safe from any thread.
/// </summary>
internal static class Interned<T>
    where T : class
{
    /// <summary>A control plane whose values are all different gains nothing here and must not fill the memory.</summary>
    private const int Most = 4096;

    private static readonly ConcurrentDictionary<T, T> Known = new();

    /// <summary>The object that stands for all equal to <paramref name="value"/>.</summary>
    public static T Of(T value)
    {
        if (Known.TryGetValue(value, out T? known))
        {
            return known;
        }

        if (Known.Count >= Most)
        {
            Known.Clear();
        }

        return Known.GetOrAdd(value, value);
    }
}
