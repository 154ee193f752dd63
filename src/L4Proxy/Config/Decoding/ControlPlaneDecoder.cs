using System.Collections.Immutable;
using Api = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.ApiConfigSource;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Decodes where streams of resources come from.</summary>
internal static class ControlPlaneDecoder
{
    /// <summary>The stream of a config source; null for files and for sources that are wrong, which <see cref="DiscoveryDecoder.FileOf"/> tells.</summary>
    public static StreamSourceConfig? StreamOf(Core.ConfigSource source, DecodeScope scope)
    {
        TimeSpan firstFetch = StreamSourceConfig.FirstFetchOf(source.InitialFetchTimeout, scope);
        switch (source.ConfigSourceSpecifierCase)
        {
            case Core.ConfigSource.ConfigSourceSpecifierOneofCase.Ads:
            case Core.ConfigSource.ConfigSourceSpecifierOneofCase.Self:
                CheckVersion(source.ResourceApiVersion, scope.Field("resource_api_version"));
                return Interned<StreamSourceConfig>.Of(new(null, firstFetch));
            case Core.ConfigSource.ConfigSourceSpecifierOneofCase.ApiConfigSource:
                CheckVersion(source.ResourceApiVersion, scope.Field("resource_api_version"));
                ControlPlaneConfig? api = Decode(source.ApiConfigSource, aggregated: false, scope.Field("api_config_source"));
                return api is null ? null : new StreamSourceConfig(api, firstFetch);
            default:
                return null;
        }
    }

    /// <summary>Null, with an error, for what is no gRPC source.</summary>
    /// <param name="source">The settings.</param>
    /// <param name="aggregated">Whether these are the settings of <c>ads_config</c>.</param>
    /// <param name="scope">Where they stand.</param>
    public static ControlPlaneConfig? Decode(Api source, bool aggregated, DecodeScope scope)
    {
        CheckVersion(source.TransportApiVersion, scope.Field("transport_api_version"));
        bool? delta = IsDelta(source.ApiType, aggregated, scope.Field("api_type"));
        var servers = ImmutableArray.CreateBuilder<GrpcServerConfig>();
        for (int i = 0; i < source.GrpcServices.Count; i++)
        {
            if (Server(source.GrpcServices[i], scope.Item("grpc_services", i)) is { } server)
            {
                servers.Add(server);
            }
        }

        if (source.GrpcServices.Count == 0)
        {
            scope.Field("grpc_services").Error("at least one is required");
        }

        return delta is null || servers.Count == 0 ? null : ControlPlaneKey.Named(new ControlPlaneConfig("")
        {
            Delta = delta.Value, NodeOnFirstMessageOnly = source.SetNodeOnFirstMessageOnly, Servers = servers.ToImmutable(),
        });
    }

    private static bool? IsDelta(Api.Types.ApiType type, bool aggregated, DecodeScope scope)
    {
        switch (type)
        {
            case Api.Types.ApiType.Grpc:
            case Api.Types.ApiType.AggregatedGrpc when aggregated:
                return false;
            case Api.Types.ApiType.DeltaGrpc:
            case Api.Types.ApiType.AggregatedDeltaGrpc when aggregated:
                return true;
            default:
                scope.Error(aggregated
                    ? "must be GRPC or DELTA_GRPC (or AGGREGATED_GRPC, AGGREGATED_DELTA_GRPC)"
                    : "must be GRPC or DELTA_GRPC; for the aggregated stream the source is 'ads: {}'");
                return null;
        }
    }

    /// <summary>AUTO is taken as V3, the only one there is.</summary>
    private static void CheckVersion(Core.ApiVersion version, DecodeScope scope)
    {
        if (version == Core.ApiVersion.V2)
        {
            scope.Error("V2 is gone: must be V3");
        }
    }

    private static GrpcServerConfig? Server(Core.GrpcService service, DecodeScope scope)
    {
        ImmutableArray<KeyValuePair<string, string>> metadata =
            [.. service.InitialMetadata.Select((header, i) => Header(header, scope.Item("initial_metadata", i)))];
        switch (service.TargetSpecifierCase)
        {
            case Core.GrpcService.TargetSpecifierOneofCase.EnvoyGrpc when service.EnvoyGrpc.ClusterName.Length > 0:
                string cluster = service.EnvoyGrpc.ClusterName;
                string authority = service.EnvoyGrpc.Authority.Length > 0 ? service.EnvoyGrpc.Authority : cluster;
                return new GrpcServerConfig { Cluster = cluster, Authority = authority, Metadata = metadata };
            case Core.GrpcService.TargetSpecifierOneofCase.EnvoyGrpc:
                scope.Field("envoy_grpc.cluster_name").Error("is required");
                return null;
            case Core.GrpcService.TargetSpecifierOneofCase.GoogleGrpc:
                return GoogleGrpcDecoder.Decode(service.GoogleGrpc, metadata, scope.Field("google_grpc"));
            default:
                scope.Error("envoy_grpc or google_grpc is required");
                return null;
        }
    }

    private static KeyValuePair<string, string> Header(Core.HeaderValue header, DecodeScope scope)
    {
        string value = header.Value.Length > 0 ? header.Value : header.RawValue.ToStringUtf8();
        if (header.Key.Length == 0 || header.Key.Any(c => c is <= ' ' or >= (char)127 or ':'))
        {
            scope.Field("key").Error("is not the name of a header");
        }

        if (value.Any(char.IsControl))
        {
            scope.Field("value").Error("has a control character");
        }

        return KeyValuePair.Create(header.Key.ToLowerInvariant(), value);
    }
}
