using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Apply;

/// <summary>One way of reading and writing the kernel's rules. Every call may throw <see cref="RedirectException"/>.</summary>
internal interface IRuleBackend
{
    /// <summary>Name for messages: "nft", "iptables-nft".</summary>
    string Name { get; }

    /// <summary>Our rules as they are in the kernel, one line each in this backend's words; empty when there are none. Writes nothing.</summary>
    IReadOnlyList<string> Installed();

    /// <summary>The lines that <see cref="Installed"/> would give for <paramref name="plan"/>.</summary>
    IReadOnlyList<string> Wanted(RedirectPlan plan);

    /// <summary>Puts <paramref name="plan"/> in place of what <see cref="Installed"/> last read.</summary>
    void Replace(RedirectPlan plan);

    /// <summary>Reads our rules as they are now.</summary>
    /// <returns>Whether there are any, and what brings exactly these rules back in one transaction (a family), whatever is there by
    /// then.</returns>
    (bool Any, Action PutBack) Remember();

    /// <summary>Removes what <see cref="Installed"/> last read.</summary>
    void Remove();
}
