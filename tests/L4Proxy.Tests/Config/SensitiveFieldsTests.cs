using System.Text.RegularExpressions;
using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Tests.Config.Protos;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

public sealed partial class SensitiveFieldsTests
{
    /// <summary>Fields that are named like a secret, or hold bytes from anywhere, and are none.</summary>
    private static readonly string[] Harmless =
    [
        // Public by their nature.
        "envoy.config.core.v3.GrpcService.GoogleGrpc.SslCredentials.root_certs",
        "envoy.config.core.v3.GrpcService.GoogleGrpc.SslCredentials.cert_chain",
        "envoy.extensions.transport_sockets.tls.v3.TlsCertificate.certificate_chain",
        "envoy.extensions.transport_sockets.tls.v3.TlsCertificate.ocsp_staple",
        "envoy.extensions.transport_sockets.tls.v3.TlsCertificate.signed_certificate_timestamp",
        "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.trusted_ca",
        "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.crl",
        "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.verify_certificate_spki",

        // Sent to everybody, or the text of a log line.
        "envoy.config.route.v3.DirectResponseAction.body",
        "envoy.extensions.filters.network.direct_response.v3.Config.response",
        "envoy.config.core.v3.SubstitutionFormatString.text_format_source",

        // Who, not by what right.
        "envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.downstream_auth_username",
        "envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions.auth_username",
        "envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions.Credential.auth_username",
        "meshl4.xrpc.v1.Authentication.username", "meshl4.xrpc.v1.Credentials.username",

        // Places and names.
        "meshl4.bootstrap.v1.ControlPlaneOptions.token_file",
        "envoy.config.core.v3.GrpcService.EnvoyGrpc.authority", "envoy.config.core.v3.HealthCheck.GrpcHealthCheck.authority",
        "envoy.config.core.v3.GrpcService.GoogleGrpc.credentials_factory_name",
        "envoy.config.grpc_credential.v3.FileBasedMetadataConfig.header_key",
        "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit.share_key",

        // Keys of maps, of metadata, of filter state and of requests.
        "envoy.config.cluster.v3.Cluster.LbSubsetConfig.LbSubsetSelector.keys", "envoy.extensions.load_balancing_policies.subset.v3.Subset.LbSubsetSelector.keys",
        "envoy.config.core.v3.HeaderValue.key", "envoy.type.matcher.v3.FilterStateMatcher.key",
        "envoy.type.v3.HashPolicy.FilterState.key", "envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig.HashPolicy.key",
        "envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue.object_key",
        "envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue.factory_key",
    ];

    private static readonly Dictionary<string, FieldDescriptor> Fields =
        OwnProtos.AllMessages.SelectMany(static message => message.Fields.InDeclarationOrder()).ToDictionary(static field => field.FullName);

    [Fact]
    public void All_AreFieldsOfTheSubset() => SensitiveFields.All.Where(static name => !Fields.ContainsKey(name)).ShouldBeEmpty();

    [Fact]
    public void EveryFieldThatMayHoldASecret_IsListed_OrNamedAsHarmless()
    {
        string[] suspicious = [.. Fields.Values.Where(IsSuspicious).Select(static field => field.FullName)];
        suspicious.Except(SensitiveFields.All).Except(Harmless).ShouldBeEmpty();
        Harmless.Except(suspicious).ShouldBeEmpty("what is named as harmless is a field that was looked at");
        suspicious.Intersect(SensitiveFields.All).Count().ShouldBeGreaterThan(10);
    }

    /// <summary>Whatever may hold bytes from anywhere, and text or a structure with a name like that of a secret.</summary>
    private static bool IsSuspicious(FieldDescriptor field)
    {
        FieldDescriptor value = field.IsMap ? field.MessageType.FindFieldByNumber(2) : field;
        bool isText = value.FieldType is FieldType.String or FieldType.Bytes;
        bool isStructure = value.FieldType == FieldType.Message && value.MessageType.FullName is "google.protobuf.Struct" or "google.protobuf.Any" or "envoy.config.core.v3.HeaderValue";
        return (value.FieldType == FieldType.Message && (value.MessageType.FullName == DataSource.Descriptor.FullName || value.MessageType.FullName == HeaderValue.Descriptor.FullName))
            || ((isText || isStructure) && NameOfASecret().IsMatch(field.Name) && !field.Name.StartsWith("runtime_key", StringComparison.Ordinal));
    }

    [GeneratedRegex("passw|passphrase|secret|token|private|credential|pkcs|ticket|auth|cookie|bearer|spki|initial_metadata|(^|_)keys?$")]
    private static partial Regex NameOfASecret();

    [Fact]
    public void Redact_InlineSecrets_AreReplaced_AndPlacesStay()
    {
        var certificate = new TlsCertificate
        {
            PrivateKey = new DataSource { InlineString = "key" }, Password = new DataSource { Filename = "/run/password" },
        };
        SensitiveFields.Redact(certificate, TlsCertificate.Descriptor.FindFieldByName("private_key"));
        SensitiveFields.Redact(certificate, TlsCertificate.Descriptor.FindFieldByName("password"));
        certificate.PrivateKey.InlineString.ShouldBe("[redacted]");
        certificate.Password.Filename.ShouldBe("/run/password");

        var many = new GenericSecret { Secrets = { ["a"] = new DataSource { InlineBytes = Google.Protobuf.ByteString.CopyFromUtf8("key") } } };
        SensitiveFields.Redact(many, GenericSecret.Descriptor.FindFieldByName("secrets"));
        many.Secrets["a"].InlineString.ShouldBe("[redacted]");
        var tickets = new TlsSessionTicketKeys { Keys = { new DataSource { InlineString = "key" } } };
        SensitiveFields.Redact(tickets, TlsSessionTicketKeys.Descriptor.FindFieldByName("keys"));
        tickets.Keys[0].InlineString.ShouldBe("[redacted]");
    }
}
