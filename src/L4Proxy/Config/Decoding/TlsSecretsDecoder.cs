using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Finds the secrets that TLS settings name.</summary>
internal static class TlsSecretsDecoder
{
    /// <summary>Nearly every cluster of a mesh names the same few secrets: they share one object.</summary>
    private const int MostShared = 1024;

    private static readonly Dictionary<SdsSecretConfig, ResourceNeed> Shared = [];

    /// <summary>The secrets of a transport socket's settings, each once; none for settings that are not TLS.</summary>
    public static ImmutableArray<ResourceNeed> Of(Any? typed, DecodeScope scope)
    {
        CommonTlsContext? common = null;
        SdsSecretConfig? tickets = null;
        if (TypedConfig.Is<UpstreamTlsContext>(typed))
        {
            common = TypedConfig.Unpack<UpstreamTlsContext>(typed!, scope)?.CommonTlsContext;
        }
        else if (TypedConfig.Is<DownstreamTlsContext>(typed) && TypedConfig.Unpack<DownstreamTlsContext>(typed!, scope) is { } downstream)
        {
            (common, tickets) = (downstream.CommonTlsContext, downstream.SessionTicketKeysSdsSecretConfig);
        }

        var found = ImmutableArray.CreateBuilder<ResourceNeed>();
        foreach (SdsSecretConfig secret in Named(common, tickets))
        {
            if (Need(secret, scope.Field("common_tls_context")) is { } need && !found.Any(one => one.Name == need.Name))
            {
                found.Add(need);
            }
        }

        return found.DrainToImmutable();
    }

    private static IEnumerable<SdsSecretConfig> Named(CommonTlsContext? common, SdsSecretConfig? tickets)
    {
        SdsSecretConfig?[] others =
        [
            common?.ValidationContextSdsSecretConfig, common?.CombinedValidationContext?.ValidationContextSdsSecretConfig, tickets,
        ];
        return (common?.TlsCertificateSdsSecretConfigs ?? []).Concat(others.OfType<SdsSecretConfig>());
    }

    /// <summary>Null for one of the bootstrap, which has no source, and with an error for one that cannot be had.</summary>
    private static ResourceNeed? Need(SdsSecretConfig secret, DecodeScope scope)
    {
        if (secret.Name.Length == 0)
        {
            scope.Error("a secret needs a name");
            return null;
        }

        if (secret.SdsConfig is null)
        {
            return null;
        }

        lock (Shared)
        {
            if (Shared.TryGetValue(secret, out ResourceNeed? known))
            {
                return known;
            }
        }

        ResourceNeed? need = ResourceNeed.From(TypeUrls.Secret, secret.Name, secret.SdsConfig, scope.Field("sds_config"));
        lock (Shared)
        {
            if (need is not null && Shared.Count < MostShared)
            {
                Shared[secret] = need;
            }
        }

        return need;
    }
}
