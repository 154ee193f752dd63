using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Resolving;

namespace MeshL4.L4Proxy.Clusters;

/// <summary>
/// Resolves the names of STRICT_DNS and LOGICAL_DNS clusters over and over, off the loops. A failure keeps the last good addresses.
/// </summary>
/// <param name="resolve">The resolver; <c>Dns.GetHostAddressesAsync</c> outside of tests.</param>
/// <param name="changed">Told when the addresses of a name changed, on a pool thread.</param>
/// <param name="failed">Told with name and reason when a name stops resolving; once per spell.</param>
/// <param name="lifetime">How long the addresses of a name live, null when nobody knows; asked where a cluster respects that, with the name that answered last.</param>
/// <param name="delay">Waits between two looks; null for real ones.</param>
internal sealed class DnsResolution(
    Func<string, CancellationToken, Task<IPAddress[]>> resolve,
    Action changed,
    Action<string, string> failed,
    Func<string, DnsLookupFamily, string?, CancellationToken, Task<AddressLife?>>? lifetime = null,
    Func<TimeSpan, CancellationToken, Task>? delay = null) : IResolvedNames, IDisposable
{
    /// <summary>How long a cluster waits for the first answer about a name.</summary>
    public static readonly TimeSpan LongestFirst = TimeSpan.FromSeconds(3);

    /// <summary>A timer of the runtime measures little more.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(49);

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
        var wanted = new Dictionary<(string, DnsLookupFamily), ImmutableHashSet<DnsRefresh>>();
        foreach (ClusterSnapshot cluster in clusters)
        {
            foreach (DnsTargetSnapshot target in cluster.DnsTargets)
            {
                (string, DnsLookupFamily) key = (target.Host, cluster.DnsFamily);
                wanted[key] = wanted.GetValueOrDefault(key, []).Add(cluster.DnsRefresh);
            }
        }

        foreach ((string, DnsLookupFamily) gone in _names.Keys.Where(key => !wanted.ContainsKey(key)))
        {
            if (_names.TryRemove(gone, out Followed? followed))
            {
                followed.Stop.Cancel();
            }
        }

        foreach (((string, DnsLookupFamily) key, ImmutableHashSet<DnsRefresh> refreshes) in wanted)
        {
            FollowOne(key, refreshes);
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

    private void FollowOne((string Host, DnsLookupFamily Family) key, ImmutableHashSet<DnsRefresh> refreshes)
    {
        if (_names.TryGetValue(key, out Followed? known))
        {
            known.Heed(refreshes);
            return;
        }

        var followed = new Followed(refreshes);
        _names[key] = followed;
        _ = Task.Run(() => Run(key.Host, key.Family, followed));
    }

    private async Task Run(string host, DnsLookupFamily family, Followed followed)
    {
        while (!followed.Stop.IsCancellationRequested)
        {
            // Before the settings are read: none of their changes is missed.
            using var wake = CancellationTokenSource.CreateLinkedTokenSource(followed.Stop.Token, followed.Changed);
            Task<AddressLife?> life = LifetimeOf(host, family, followed);
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

            // Who wants to know soonest is heeded, for the others' sake too.
            TimeSpan? lived = (await life.ConfigureAwait(false))?.For(followed.Given);
            double random = Random.Shared.NextDouble();
            TimeSpan wait = followed.Refreshes.Min(one => followed.Failures > 0 ? one.AfterFailure(followed.Failures, random) : one.AfterAnswer(lived, random));
            await (delay ?? Task.Delay)(wait < LongestWait ? wait : LongestWait, wake.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Never fails: without an answer the rate of refresh counts.</summary>
    private async Task<AddressLife?> LifetimeOf(string host, DnsLookupFamily family, Followed followed)
    {
        if (lifetime is null || !followed.Refreshes.Any(static one => one.RespectsTimeToLive))
        {
            return null;
        }

        try
        {
            AddressLife? told = await lifetime(host, family, followed.AnsweredAs, followed.Stop.Token).ConfigureAwait(false);
            followed.AnsweredAs = told?.Name;
            return told;
        }
        catch (OperationCanceledException)
        {
            return null;
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
            followed.Given = answer;
            followed.Failures = 0;
            bool isNew = !chosen.AsSpan().SequenceEqual(followed.Addresses.AsSpan());
            followed.Addresses = chosen;
            return isNew;
        }
        catch (Exception failure) when (failure is SocketException or ArgumentException or OperationCanceledException)
        {
            if (failure is not OperationCanceledException && followed.Failures++ == 0)
            {
                failed(host, failure.Message);
            }

            return false;
        }
    }

    private sealed class Followed(ImmutableHashSet<DnsRefresh> refreshes)
    {
        private volatile IPAddress[] _addresses = [];
        private volatile ImmutableHashSet<DnsRefresh> _refreshes = refreshes;
        private CancellationTokenSource _changed = new();

        public TaskCompletionSource First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationTokenSource Stop { get; } = new();

        /// <summary>What the clusters that have this name say; not empty.</summary>
        public ImmutableHashSet<DnsRefresh> Refreshes => _refreshes;

        /// <summary>Cancelled by the next change of <see cref="Refreshes"/>.</summary>
        public CancellationToken Changed => Volatile.Read(ref _changed).Token;

        /// <summary>All addresses of the last answer, of families that are not used too.</summary>
        public IPAddress[] Given { get; set; } = [];

        /// <summary>The name, of those that search domains make of this one, whose servers told a time to live last; null for none.</summary>
        public string? AnsweredAs { get; set; }

        /// <summary>Failures in a row; 0 after an answer.</summary>
        public int Failures { get; set; }

        /// <summary>Takes what the clusters say now. Another set ends the wait that the one before began, whose end may be weeks off.</summary>
        public void Heed(ImmutableHashSet<DnsRefresh> said)
        {
            if (!said.SetEquals(_refreshes))
            {
                _refreshes = said;

                // What waits goes on elsewhere: this thread may hold the lock of the configuration.
                _ = Interlocked.Exchange(ref _changed, new CancellationTokenSource()).CancelAsync();
            }
        }

        public ImmutableArray<IPAddress> Addresses
        {
            get => [.. _addresses];
            set => _addresses = [.. value];
        }
    }
}
