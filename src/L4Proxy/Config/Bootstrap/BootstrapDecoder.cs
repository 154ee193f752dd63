using System.Collections.Immutable;
using System.Net;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Bootstrap.V1;
using MeshL4.L4Proxy.Config.Snapshots;
using BootstrapMessage = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Bootstrap.V3.Bootstrap;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using Listener = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Listener;

namespace MeshL4.L4Proxy.Config.Bootstrap;

/// <summary>Decodes what of a bootstrap is not a resource, and sorts the resources out.</summary>
internal static class BootstrapDecoder
{
    private const int ReadinessPort = 15021;
    private const int PrometheusPort = 15090;

    public static BootstrapConfig Decode(BootstrapMessage message, DecodeScope scope)
    {
        (HttpHandoffSnapshot? handoff, ProxyOptions options, ControlPlaneOptions plane, DnsProxyConfig? dns, ImmutableArray<CodecRuleSnapshot> codecs) = Extensions(message, scope);
        List<Listener> listeners = [.. message.StaticResources?.Listeners ?? []];
        var process = new BootstrapSnapshot
        {
            NodeId = message.Node?.Id ?? "",
            NodeCluster = message.Node?.Cluster ?? "",
            Admin = Admin(message, scope.Field("admin.address")),
            Readiness = OwnPort(listeners, ReadinessPort, options.ReadinessPort, scope.Field("readiness_port")),
            Prometheus = OwnPort(listeners, PrometheusPort, options.PrometheusPort, scope.Field("prometheus_port")),
            EnableQuit = options.EnableQuit,
            MaxDownstreamConnections = options.MaxDownstreamConnections is { } max ? (long)Math.Min(max, long.MaxValue) : null,
            BusyLoopPercent = options.BusyLoopPercent ?? new BootstrapSnapshot().BusyLoopPercent,
        };
        DecodeScope dynamic = scope.Field("dynamic_resources");
        var config = new BootstrapConfig
        {
            Message = message,
            Process = process,
            Handoff = handoff,
            CodecRules = codecs,
            Listeners = listeners.ConvertAll<IMessage>(listener => listener),
            Clusters = [.. message.StaticResources?.Clusters ?? []],
            Secrets = [.. message.StaticResources?.Secrets ?? []],
            ListenerFile = FileOf(message.DynamicResources?.LdsConfig, dynamic.Field("lds_config")),
            ClusterFile = FileOf(message.DynamicResources?.CdsConfig, dynamic.Field("cds_config")),
            ListenerStream = StreamOf(message.DynamicResources?.LdsConfig, dynamic.Field("lds_config")),
            ClusterStream = StreamOf(message.DynamicResources?.CdsConfig, dynamic.Field("cds_config")),
            Ads = message.DynamicResources?.AdsConfig is { } ads ? ControlPlaneDecoder.Decode(ads, aggregated: true, dynamic.Field("ads_config")) : null,
            Node = message.Node ?? new Core.Node(),
            Dns = dns,
            TokenFile = plane.TokenFile,
            SnapshotFile = plane.SnapshotFile.Length == 0 ? null
                : new SnapshotFileConfig(plane.SnapshotFile, scope.Duration("snapshot_wait", plane.SnapshotWait) ?? TimeSpan.FromSeconds(10)),
            LazyEndpoints = plane.LazyEndpoints is { } lazy
                ? new LazyEndpointsConfig(
                    scope.PositiveDuration("lazy_endpoints.hold", lazy.Hold) ?? TimeSpan.FromSeconds(5), scope.PositiveDuration("lazy_endpoints.idle", lazy.Idle) ?? TimeSpan.FromMinutes(10))
                : null,
        };
        ControlPlaneRule.Check(config, dynamic);
        ControlPlaneRule.CheckEndpoints(message, scope);
        return config;
    }

    private static FileSourceConfig? FileOf(Core.ConfigSource? source, DecodeScope scope)
        => source is null ? null : DiscoveryDecoder.FileOf(source, scope);

    private static StreamSourceConfig? StreamOf(Core.ConfigSource? source, DecodeScope scope)
        => source is null ? null : ControlPlaneDecoder.StreamOf(source, scope);

    private static IPEndPoint? Admin(BootstrapMessage message, DecodeScope scope)
    {
        if (message.Admin?.Address is not { } address)
        {
            return null;
        }

        EndPoint? decoded = AddressDecoder.Decode(address, scope);
        if (decoded is not null and not IPEndPoint)
        {
            scope.Error("the admin API listens on an IP address only");
        }

        return decoded as IPEndPoint;
    }

    /// <summary>
    /// The address of an own port: a static HTTP listener on that port is taken as the request for it (and removed from
    /// <paramref name="listeners"/>), else the extension's port (0 switches it off), else the default on all addresses.
    /// </summary>
    private static IPEndPoint? OwnPort(List<Listener> listeners, int wellKnown, uint? asked, DecodeScope scope)
    {
        int at = listeners.FindIndex(listener => listener.Address?.SocketAddress?.PortValue == wellKnown && IsHttp(listener));
        if (at >= 0 && IPAddress.TryParse(listeners[at].Address.SocketAddress.Address, out IPAddress? address))
        {
            listeners.RemoveAt(at);
            return asked == 0 ? null : new IPEndPoint(address, (int)(asked ?? (uint)wellKnown));
        }

        if (asked > ushort.MaxValue)
        {
            scope.Error($"{asked} is above 65535");
            return null;
        }

        return asked == 0 ? null : new IPEndPoint(IPAddress.IPv6Any, (int)(asked ?? (uint)wellKnown));
    }

    private static bool IsHttp(Listener listener) => listener.FilterChains.Count > 0
        && listener.FilterChains.All(chain => chain.Filters.Any(filter => TypedConfig.Is<HttpConnectionManager>(filter.TypedConfig)));

    private static (HttpHandoffSnapshot? Handoff, ProxyOptions Options, ControlPlaneOptions Plane, DnsProxyConfig? Dns, ImmutableArray<CodecRuleSnapshot> Codecs) Extensions(
        BootstrapMessage message, DecodeScope scope)
    {
        HttpHandoffSnapshot? handoff = null;
        var options = new ProxyOptions();
        var plane = new ControlPlaneOptions();
        ImmutableArray<CodecRuleSnapshot> codecs = [];
        (DnsProxyOptions? Options, DecodeScope Place) dns = (null, scope);
        for (int i = 0; i < message.BootstrapExtensions.Count; i++)
        {
            Core.TypedExtensionConfig extension = message.BootstrapExtensions[i];
            DecodeScope typed = scope.Item("bootstrap_extensions", i).Field("typed_config");
            if (TypedConfig.Is<HttpHandoff>(extension.TypedConfig))
            {
                handoff = TypedConfig.Unpack<HttpHandoff>(extension.TypedConfig, typed) is { } settings ? Handoff(settings, typed) : null;
            }
            else if (TypedConfig.Is<ProxyOptions>(extension.TypedConfig))
            {
                options = TypedConfig.Unpack<ProxyOptions>(extension.TypedConfig, typed) ?? options;
            }
            else if (TypedConfig.Is<ControlPlaneOptions>(extension.TypedConfig))
            {
                plane = TypedConfig.Unpack<ControlPlaneOptions>(extension.TypedConfig, typed) ?? plane;
            }
            else if (TypedConfig.Is<DnsProxyOptions>(extension.TypedConfig))
            {
                dns = (TypedConfig.Unpack<DnsProxyOptions>(extension.TypedConfig, typed), typed);
            }
            else if (CodecRulesDecoder.Takes(extension.TypedConfig))
            {
                codecs = CodecRulesDecoder.Decode(extension.TypedConfig, typed);
            }
            else
            {
                typed.Warn($"bootstrap extension '{extension.Name}' ({TypedConfig.TypeName(extension.TypedConfig)}) is not known and left out");
            }
        }

        return (handoff, options, plane, DnsProxyDecoder.Decode(dns.Options, message.Node ?? new Core.Node(), dns.Place), codecs);
    }

    private static HttpHandoffSnapshot? Handoff(HttpHandoff settings, DecodeScope scope)
    {
        if (settings.Cluster.Length == 0)
        {
            scope.Field("cluster").Error("is required");
            return null;
        }

        return new HttpHandoffSnapshot(settings.Cluster, settings.ProxyProtocol switch
        {
            HttpHandoff.Types.ProxyProtocol.V1 => ProxyProtocolVersion.V1,
            HttpHandoff.Types.ProxyProtocol.V2 => ProxyProtocolVersion.V2,
            _ => ProxyProtocolVersion.None,
        });
    }
}
