using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>Compiles <c>RedisProtocolOptions</c> of a cluster: what its servers are told first.</summary>
internal static class RedisProtocolOptionsDecoder
{
    /// <summary>Null when the cluster has no such options, or with an error.</summary>
    public static ClusterLogin? Login(Cluster cluster, DecodeScope scope)
    {
        foreach ((string name, Google.Protobuf.WellKnownTypes.Any options) in cluster.TypedExtensionProtocolOptions)
        {
            if (TypedConfig.Is<RedisProtocolOptions>(options) && TypedConfig.Unpack<RedisProtocolOptions>(options, scope.Field($"[{name}]")) is { } redis)
            {
                return Login(redis, scope.Field($"[{name}]"));
            }
        }

        return null;
    }

    private static ClusterLogin? Login(RedisProtocolOptions options, DecodeScope scope)
    {
        byte[]? username = DataSourceDecoder.Decode(options.AuthUsername, scope.Field("auth_username"));
        byte[]? password = DataSourceDecoder.Decode(options.AuthPassword, scope.Field("auth_password"));
        if (password is { Length: 0 } && username is not { Length: 0 })
        {
            scope.Field("auth_password").Error("is required with an auth_username");
        }

        return username is null || password is null or { Length: 0 }
            ? null
            : new ClusterLogin(RespCodec.Traits.Name, RedisProfile.Of(new RedisLogin(username, password)).ToConnection());
    }
}
