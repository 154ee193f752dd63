using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>
/// Decodes the TLS settings of a cluster that serves a control plane. Stricter than Envoy where that matters: the server is always
/// checked, by the roots given or those of the system, and by name.
/// </summary>
internal static class ControlPlaneTlsDecoder
{
    /// <summary>Null with an error in the scope when the settings ask for what is not done here.</summary>
    public static ServerTlsConfig? Decode(Any typed, DecodeScope scope)
    {
        if (TypedConfig.Unpack<UpstreamTlsContext>(typed, scope) is not { } tls)
        {
            return null;
        }

        CommonTlsContext common = tls.CommonTlsContext ?? new CommonTlsContext();
        DecodeScope at = scope.Field("common_tls_context");
        Refuse(common, at);
        CertificateValidationContext trust = common.ValidationContext ?? common.CombinedValidationContext?.DefaultValidationContext ?? new CertificateValidationContext();
        Refuse(trust, at.Field("validation_context"));
        TlsCertificate? own = common.TlsCertificates.FirstOrDefault();
        if (own is not null && (own.CertificateChain is null || own.PrivateKey is null || own.Password is not null))
        {
            at.Item("tls_certificates", 0).Error("certificate_chain and private_key, without a password, are required");
        }

        return new ServerTlsConfig(trust.TrustedCa, own?.CertificateChain, own?.PrivateKey) { ServerName = tls.Sni, Names = Names(trust, at.Field("validation_context")) };
    }

    private static void Refuse(CommonTlsContext common, DecodeScope scope)
    {
        if (common.TlsCertificateSdsSecretConfigs.Count > 0 || common.ValidationContextSdsSecretConfig is not null
            || common.CombinedValidationContext?.ValidationContextSdsSecretConfig is not null)
        {
            scope.Error("secrets for the way to a control plane cannot come from one: give files");
        }

        if (common.TlsCertificates.Count > 1 || common.TlsCertificateProviderInstance is not null || common.CustomHandshaker is not null
            || common.CustomTlsCertificateSelector is not null || common.ValidationContextTypeCase is CommonTlsContext.ValidationContextTypeOneofCase.ValidationContextCertificateProvider
                or CommonTlsContext.ValidationContextTypeOneofCase.ValidationContextCertificateProviderInstance)
        {
            scope.Error("certificate providers, handshakers and more than one certificate are not supported");
        }
    }

    /// <summary>What would tighten the check and is not done, or would loosen it.</summary>
    private static void Refuse(CertificateValidationContext trust, DecodeScope scope)
    {
        (string Field, bool Set)[] unsupported =
        [
            ("verify_certificate_spki", trust.VerifyCertificateSpki.Count > 0), ("verify_certificate_hash", trust.VerifyCertificateHash.Count > 0),
            ("crl", trust.Crl is not null), ("allow_expired_certificate", trust.AllowExpiredCertificate),
            ("trust_chain_verification", trust.TrustChainVerification != CertificateValidationContext.Types.TrustChainVerification.VerifyTrustChain),
            ("custom_validator_config", trust.CustomValidatorConfig is not null), ("max_verify_depth", trust.MaxVerifyDepth is not null),
            ("require_signed_certificate_timestamp", trust.RequireSignedCertificateTimestamp == true),
            ("ca_certificate_provider_instance", trust.CaCertificateProviderInstance is not null),
        ];
        foreach ((string field, bool _) in unsupported.Where(static one => one.Set))
        {
            scope.Field(field).Error("is not supported on the way to a control plane");
        }
    }

    private static ImmutableArray<ServerNameRule> Names(CertificateValidationContext trust, DecodeScope scope)
    {
        var rules = ImmutableArray.CreateBuilder<ServerNameRule>();
        for (int i = 0; i < trust.MatchTypedSubjectAltNames.Count; i++)
        {
            SubjectAltNameMatcher matcher = trust.MatchTypedSubjectAltNames[i];
            DecodeScope at = scope.Item("match_typed_subject_alt_names", i);
            if (matcher.SanType is SubjectAltNameMatcher.Types.SanType.OtherName or SubjectAltNameMatcher.Types.SanType.Email)
            {
                at.Field("san_type").Error("must be DNS, URI or IP_ADDRESS");
            }
            else if (StringMatcherDecoder.Decode(matcher.Matcher, at.Field("matcher")) is { } matches)
            {
                rules.Add(new ServerNameRule(matcher.SanType, matches));
            }
        }

        for (int i = 0; i < trust.MatchSubjectAltNames.Count; i++)
        {
            if (StringMatcherDecoder.Decode(trust.MatchSubjectAltNames[i], scope.Item("match_subject_alt_names", i)) is { } matches)
            {
                rules.Add(new ServerNameRule(SubjectAltNameMatcher.Types.SanType.Unspecified, matches));
            }
        }

        return rules.ToImmutable();
    }
}
