using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Clusters.Dns.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using Duration = Google.Protobuf.WellKnownTypes.Duration;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using Family = MeshL4.L4Proxy.Config.Snapshots.DnsLookupFamily;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>How a cluster finds its endpoints.</summary>
internal sealed record DiscoveryConfig(ClusterDiscovery Type, DnsRefresh DnsRefresh, Family DnsFamily, FileSourceConfig? EdsFile = null, StreamSourceConfig? EdsStream = null);

/// <summary>Decodes <c>type</c>, <c>cluster_type</c> and the DNS and EDS settings of a cluster.</summary>
internal static class DiscoveryDecoder
{
    public static DiscoveryConfig Decode(Cluster cluster, DecodeScope scope)
    {
        if (cluster.ClusterDiscoveryTypeCase == Cluster.ClusterDiscoveryTypeOneofCase.ClusterType)
        {
            return DecodeCustom(cluster, scope.Field("cluster_type"));
        }

        ClusterDiscovery type = cluster.Type switch
        {
            Cluster.Types.DiscoveryType.StrictDns => ClusterDiscovery.StrictDns,
            Cluster.Types.DiscoveryType.LogicalDns => ClusterDiscovery.LogicalDns,
            Cluster.Types.DiscoveryType.Eds => ClusterDiscovery.Eds,
            Cluster.Types.DiscoveryType.OriginalDst => ClusterDiscovery.OriginalDestination,
            _ => ClusterDiscovery.Static,
        };
        DecodeScope eds = scope.Field("eds_cluster_config.eds_config");
        FileSourceConfig? file = type == ClusterDiscovery.Eds ? EdsFile(cluster, eds) : null;
        StreamSourceConfig? stream = type == ClusterDiscovery.Eds && cluster.EdsClusterConfig?.EdsConfig is { } source
            ? ControlPlaneDecoder.StreamOf(source, eds) : null;
        Cluster.Types.RefreshRate? failure = cluster.DnsFailureRefreshRate;
        DnsRefresh refresh = Refresh(scope, cluster.DnsRefreshRate, cluster.DnsJitter, cluster.RespectDnsTtl, failure is null ? null : (failure.BaseInterval, failure.MaxInterval));
        return new DiscoveryConfig(type, refresh, (Family)(int)cluster.DnsLookupFamily, file, stream);
    }

    /// <summary>The file of a config source; null for streams, and with an error for kinds that do not exist here.</summary>
    public static FileSourceConfig? FileOf(Core.ConfigSource source, DecodeScope scope)
    {
        switch (source.ConfigSourceSpecifierCase)
        {
            case Core.ConfigSource.ConfigSourceSpecifierOneofCase.PathConfigSource when source.PathConfigSource.Path.Length > 0:
                string? directory = source.PathConfigSource.WatchedDirectory?.Path;
                return new FileSourceConfig(source.PathConfigSource.Path, string.IsNullOrEmpty(directory) ? null : directory);
            case Core.ConfigSource.ConfigSourceSpecifierOneofCase.Path when source.Path.Length > 0:
                return new FileSourceConfig(source.Path, null);
            case Core.ConfigSource.ConfigSourceSpecifierOneofCase.ApiConfigSource:
            case Core.ConfigSource.ConfigSourceSpecifierOneofCase.Ads:
            case Core.ConfigSource.ConfigSourceSpecifierOneofCase.Self:
                return null;
            default:
                scope.Error("a source is required: path_config_source, ads or api_config_source");
                return null;
        }
    }

    private static FileSourceConfig? EdsFile(Cluster cluster, DecodeScope scope)
    {
        if (cluster.EdsClusterConfig?.EdsConfig is { } source)
        {
            return FileOf(source, scope);
        }

        scope.Error("an EDS cluster needs a source of endpoints");
        return null;
    }

    private static DiscoveryConfig DecodeCustom(Cluster cluster, DecodeScope scope)
    {
        if (!TypedConfig.Is<DnsCluster>(cluster.ClusterType.TypedConfig))
        {
            scope.Error($"cluster type '{cluster.ClusterType.Name}' ({TypedConfig.TypeName(cluster.ClusterType.TypedConfig)}) is not supported");
            return new DiscoveryConfig(ClusterDiscovery.Static, DnsRefresh.Default, Family.Auto);
        }

        DecodeScope typed = scope.Field("typed_config");
        DnsCluster dns = TypedConfig.Unpack<DnsCluster>(cluster.ClusterType.TypedConfig, typed) ?? new DnsCluster();

        // In this message the families are counted from 1; 0 is "not set" and means AUTO.
        var family = (Family)Math.Max(0, (int)dns.DnsLookupFamily - 1);
        DnsCluster.Types.RefreshRate? failure = dns.DnsFailureRefreshRate;
        DnsRefresh refresh = Refresh(typed, dns.DnsRefreshRate, dns.DnsJitter, dns.RespectDnsTtl, failure is null ? null : (failure.BaseInterval, failure.MaxInterval));
        return new DiscoveryConfig(dns.AllAddressesInSingleEndpoint ? ClusterDiscovery.LogicalDns : ClusterDiscovery.StrictDns, refresh, family);
    }

    private static DnsRefresh Refresh(DecodeScope scope, Duration? rate, Duration? jitter, bool respectsTimeToLive, (Duration? First, Duration? Longest)? failure)
        => Interned<DnsRefresh>.Of(new(
            scope.PositiveDuration("dns_refresh_rate", rate) ?? DnsRefresh.Default.Rate, respectsTimeToLive,
            failure is null ? null : Failure(scope.Field("dns_failure_refresh_rate"), failure.Value.First, failure.Value.Longest))
        {
            Jitter = scope.Duration("dns_jitter", jitter) ?? TimeSpan.Zero,
        });

    /// <summary>Without a longest wait it is ten times the first.</summary>
    private static DnsFailureRefresh? Failure(DecodeScope scope, Duration? first, Duration? longest)
    {
        if (first is null)
        {
            scope.Field("base_interval").Error("is required");
            return null;
        }

        if (scope.PositiveDuration("base_interval", first) is not { } shortest)
        {
            return null;
        }

        TimeSpan most = scope.PositiveDuration("max_interval", longest) ?? shortest * 10;
        if (most < shortest)
        {
            scope.Field("max_interval").Error("must not be below base_interval");
        }

        return new DnsFailureRefresh(shortest, most);
    }
}
