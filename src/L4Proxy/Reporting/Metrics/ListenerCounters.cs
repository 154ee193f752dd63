using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary><c>listener.PREFIX.*</c>: connections of one listener, kept by name across snapshots. Any thread may add.</summary>
internal sealed class ListenerCounters(string name)
{
    private static readonly string[] FlagMetrics =
        [.. Enumerable.Range(0, ResponseFlagNames.Count).Select(static i => "downstream_cx_response_flag_" + ResponseFlagNames.ShortAt(i))];

    private readonly MetricScope _scope = new("listener", "envoy_listener_address", name);
    private readonly long[] _flags = new long[ResponseFlagNames.Count];
    private long _total;
    private long _active;
    private long _destroyed;
    private long _noChain;
    private long _tlsUnsupported;
    private long _httpFilterUnsupported;
    private long _filterConfigMissing;
    private long _listenerFilterConfigMissing;

    public long Active => Volatile.Read(ref _active);

    /// <summary>The stat prefix, or the address with <c>_</c> before the port as Envoy writes it.</summary>
    public static string NameOf(ListenerSnapshot listener) =>
        listener.StatPrefix is { Length: > 0 } prefix ? prefix
        : listener.Address is IPEndPoint ip ? $"{AddressText.Address(ip)}_{ip.Port}"
        : listener.Name;

    public void Opened()
    {
        Interlocked.Increment(ref _total);
        Interlocked.Increment(ref _active);
    }

    /// <summary>The connection goes on at another listener: it counts there, and no longer here.</summary>
    public void HandedOver()
    {
        Interlocked.Decrement(ref _total);
        Interlocked.Decrement(ref _active);
    }

    public void Closed(ConnectionRecord record)
    {
        Interlocked.Decrement(ref _active);
        Interlocked.Increment(ref _destroyed);
        if (record.Chain is null && record.Flags.HasFlag(ResponseFlags.NR))
        {
            Interlocked.Increment(ref _noChain);
        }

        if (record.Details == ListenerFilters.ConfigMissing)
        {
            Interlocked.Increment(ref _listenerFilterConfigMissing);
        }

        switch (record.Chain?.Refusal)
        {
            case FilterChainSnapshot.TlsUnsupported:
                Interlocked.Increment(ref _tlsUnsupported);
                break;
            case FilterChainSnapshot.HttpFilterUnsupported:
                Interlocked.Increment(ref _httpFilterUnsupported);
                break;
            case FilterChainSnapshot.FilterConfigMissing:
                Interlocked.Increment(ref _filterConfigMissing);
                break;
        }

        for (uint left = (uint)record.Flags; left != 0; left &= left - 1)
        {
            int index = System.Numerics.BitOperations.TrailingZeroCount(left);
            if (index < _flags.Length)
            {
                Interlocked.Increment(ref _flags[index]);
            }
        }
    }

    public void Collect(IMetricVisitor visitor)
    {
        visitor.Counter(_scope, "downstream_cx_total", Volatile.Read(ref _total));
        visitor.Gauge(_scope, "downstream_cx_active", Active);
        visitor.Counter(_scope, "downstream_cx_destroy", Volatile.Read(ref _destroyed));
        visitor.Counter(_scope, "no_filter_chain_match", Volatile.Read(ref _noChain));
        visitor.Counter(_scope, "tls_unsupported", Volatile.Read(ref _tlsUnsupported));
        visitor.Counter(_scope, "http_filter_unsupported", Volatile.Read(ref _httpFilterUnsupported));
        visitor.Counter(_scope, "extension_config_missing", Volatile.Read(ref _listenerFilterConfigMissing));
        visitor.Counter(_scope, "network_extension_config_missing", Volatile.Read(ref _filterConfigMissing));
        for (int i = 0; i < _flags.Length; i++)
        {
            if (Volatile.Read(ref _flags[i]) is > 0 and long count)
            {
                visitor.Counter(_scope, FlagMetrics[i], count);
            }
        }
    }
}
