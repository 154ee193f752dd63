using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Clusters;

/// <summary>
/// Resolves the names of STRICT_DNS and LOGICAL_DNS clusters over and over, off the loops. A failure keeps the last good addresses.
/// </summary>
/// <param name="resolve">The resolver; <c>Dns.GetHostAddressesAsync</c> outside of tests.</param>
/// <param name="changed">Told when the addresses of a name changed, on a pool thread.</param>
/// <param name="failed">Told with name and reason when a name stops resolving; once per spell.</param>
internal sealed class DnsResolution(
    Func<string, CancellationToken, Task<IPAddress[]>> resolve, Action changed, Action<string, string> failed) : IResolvedNames, IDisposable
{
    /// <summary>How long a cluster waits for the first answer about a name.</summary>
    public static readonly TimeSpan LongestFirst = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<(string Host, DnsLookupFamily Family), Followed> _names = new();

    /// <inheritdoc/>
    public ImmutableArray<IPAddress> Lookup(string host, DnsLookupFamily family)
        => _names.TryGetValue((host, family), out Followed? followed) ? followed.Addresses : [];

    /// <inheritdoc/>
    public bool IsSettled(string host, DnsLookupFamily family)
        => _names.TryGetValue((host, family), out Followed? followed) && followed.First.Task.IsCompleted;

    /// <summary>Ends when each name followed now is settled, after <see cref="LongestFirst"/> at the latest.</summary>
    public Task Settled => Task.WhenAll(_names.Values.Select(followed => followed.First.Task));

    /// <summary>Follows the names of <paramref name="clusters"/> and no others. Called by one thread at a time; waits for nothing.</summary>
    public void Follow(IEnumerable<ClusterSnapshot> clusters)
    {
        var wanted = new Dictionary<(string, DnsLookupFamily), TimeSpan>();
        foreach (ClusterSnapshot cluster in clusters)
        {
            foreach (DnsTargetSnapshot target in cluster.DnsTargets)
            {
                (string, DnsLookupFamily) key = (target.Host, cluster.DnsFamily);
                wanted[key] = wanted.TryGetValue(key, out TimeSpan rate) && rate < cluster.DnsRefreshRate ? rate : cluster.DnsRefreshRate;
            }
        }

        foreach ((string, DnsLookupFamily) gone in _names.Keys.Where(key => !wanted.ContainsKey(key)))
        {
            if (_names.TryRemove(gone, out Followed? followed))
            {
                followed.Stop.Cancel();
            }
        }

        foreach (((string, DnsLookupFamily) key, TimeSpan rate) in wanted)
        {
            FollowOne(key, rate);
        }
    }

    public void Dispose()
    {
        foreach (Followed followed in _names.Values)
        {
            followed.Stop.Cancel();
        }
    }

    /// <summary>Addresses in an order that does not change with the resolver's rotation, so that equal answers compare equal.</summary>
    private static ImmutableArray<IPAddress> Select(IPAddress[] addresses, DnsLookupFamily family)
    {
        List<IPAddress> v4 = [.. addresses.Where(address => address.AddressFamily == AddressFamily.InterNetwork)];
        List<IPAddress> v6 = [.. addresses.Where(address => address.AddressFamily == AddressFamily.InterNetworkV6)];
        IEnumerable<IPAddress> chosen = family switch
        {
            DnsLookupFamily.V4Only => v4,
            DnsLookupFamily.V6Only => v6,
            DnsLookupFamily.V4Preferred => v4.Count > 0 ? v4 : v6,
            DnsLookupFamily.All => v6.Concat(v4),
            _ => v6.Count > 0 ? v6 : v4,
        };
        return [.. chosen.Distinct().OrderBy(address => address.ToString(), StringComparer.Ordinal)];
    }

    private void FollowOne((string Host, DnsLookupFamily Family) key, TimeSpan rate)
    {
        if (_names.TryGetValue(key, out Followed? known))
        {
            known.Rate = rate;
            return;
        }

        var followed = new Followed { Rate = rate };
        _names[key] = followed;
        _ = Task.Run(() => Run(key.Host, key.Family, followed));
    }

    private async Task Run(string host, DnsLookupFamily family, Followed followed)
    {
        while (!followed.Stop.IsCancellationRequested)
        {
            Task<bool> answer = ResolveOnce(host, family, followed);
            if (!followed.First.Task.IsCompleted)
            {
                await GiveUpAfter(LongestFirst, answer, followed).ConfigureAwait(false);
            }

            bool isNew = await answer.ConfigureAwait(false);
            if (isNew && !followed.Stop.IsCancellationRequested)
            {
                changed();
            }

            await Task.Delay(followed.Rate, followed.Stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Settles a name with its first answer, or without one when that takes too long.</summary>
    private async Task GiveUpAfter(TimeSpan limit, Task answer, Followed followed)
    {
        await Task.WhenAny(answer, Task.Delay(limit, followed.Stop.Token)).ConfigureAwait(false);
        followed.First.TrySetResult();
        changed();
    }

    private async Task<bool> ResolveOnce(string host, DnsLookupFamily family, Followed followed)
    {
        try
        {
            IPAddress[] answer = await resolve(host, followed.Stop.Token).ConfigureAwait(false);
            ImmutableArray<IPAddress> chosen = Select(answer, family);
            followed.Failing = false;
            bool isNew = !chosen.AsSpan().SequenceEqual(followed.Addresses.AsSpan());
            followed.Addresses = chosen;
            return isNew;
        }
        catch (Exception failure) when (failure is SocketException or ArgumentException or OperationCanceledException)
        {
            if (!followed.Failing && failure is not OperationCanceledException)
            {
                followed.Failing = true;
                failed(host, failure.Message);
            }

            return false;
        }
    }

    private sealed class Followed
    {
        private volatile IPAddress[] _addresses = [];

        public TaskCompletionSource First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationTokenSource Stop { get; } = new();

        public TimeSpan Rate { get; set; }

        public bool Failing { get; set; }

        public ImmutableArray<IPAddress> Addresses
        {
            get => [.. _addresses];
            set => _addresses = [.. value];
        }
    }
}
