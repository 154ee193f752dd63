using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.GrpcCredential.V3;
using GoogleGrpc = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.GrpcService.Types.GoogleGrpc;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Decodes a control plane that is given by its address, with TLS and tokens of its own.</summary>
internal static class GoogleGrpcDecoder
{
    private const string Unix = "unix:";

    /// <summary>Null when there is no target; other errors are in the scope.</summary>
    public static GrpcServerConfig? Decode(GoogleGrpc service, ImmutableArray<KeyValuePair<string, string>> metadata, DecodeScope scope)
    {
        if (Target(service.TargetUri) is not { } target)
        {
            scope.Field("target_uri").Error($"'{service.TargetUri}' is not host:port, dns:///host:port or unix:/path");
            return null;
        }

        bool unix = target.StartsWith(Unix, StringComparison.Ordinal);
        var secrets = ImmutableArray.CreateBuilder<SecretHeaderConfig>();
        for (int i = 0; i < service.CallCredentials.Count; i++)
        {
            if (Secret(service.CallCredentials[i], scope.Item("call_credentials", i)) is { } secret)
            {
                secrets.Add(secret);
            }
        }

        return new GrpcServerConfig
        {
            Target = target,
            Authority = unix ? "localhost" : target,
            Metadata = metadata,
            Secrets = secrets.ToImmutable(),
            Tls = Tls(service.ChannelCredentials, scope.Field("channel_credentials")),
        };
    }

    /// <summary><c>host:port</c> or <c>unix:/path</c>; null for anything else.</summary>
    private static string? Target(string uri)
    {
        if (uri.StartsWith(Unix, StringComparison.Ordinal))
        {
            string path = uri[Unix.Length..];
            path = path.StartsWith("//", StringComparison.Ordinal) ? path[2..] : path;
            return path.Length is > 0 and <= 107 ? Unix + path : null;
        }

        string name = uri.StartsWith("dns:", StringComparison.Ordinal) ? uri[4..].TrimStart('/') : uri;
        int colon = name.LastIndexOf(':');
        return colon > 0 && ushort.TryParse(name[(colon + 1)..], out ushort port) && port > 0
            && Uri.CheckHostName(name[..colon].Trim('[', ']')) != UriHostNameType.Unknown ? name : null;
    }

    private static SecretHeaderConfig? Secret(GoogleGrpc.Types.CallCredentials credentials, DecodeScope scope)
    {
        switch (credentials.CredentialSpecifierCase)
        {
            case GoogleGrpc.Types.CallCredentials.CredentialSpecifierOneofCase.AccessToken:
                return new SecretHeaderConfig("authorization", "Bearer ", new() { InlineString = credentials.AccessToken });
            case GoogleGrpc.Types.CallCredentials.CredentialSpecifierOneofCase.FromPlugin when TypedConfig.Is<FileBasedMetadataConfig>(credentials.FromPlugin.TypedConfig):
                var file = TypedConfig.Unpack<FileBasedMetadataConfig>(credentials.FromPlugin.TypedConfig, scope.Field("from_plugin.typed_config"));
                return file is null ? null : new SecretHeaderConfig(
                    file.HeaderKey.Length > 0 ? file.HeaderKey.ToLowerInvariant() : "authorization", file.HeaderPrefix, file.SecretData ?? new());
            default:
                scope.Error("access_token, or from_plugin with a FileBasedMetadataConfig, is required");
                return null;
        }
    }

    private static ServerTlsConfig? Tls(GoogleGrpc.Types.ChannelCredentials? credentials, DecodeScope scope)
    {
        if (credentials?.SslCredentials is not { } ssl)
        {
            return null;
        }

        if (ssl.CertChain is null != ssl.PrivateKey is null)
        {
            scope.Field("ssl_credentials").Error("cert_chain and private_key belong together");
        }

        return new ServerTlsConfig(ssl.RootCerts, ssl.CertChain, ssl.PrivateKey);
    }
}
