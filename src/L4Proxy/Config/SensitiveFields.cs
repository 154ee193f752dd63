using System.Collections;
using System.Collections.Frozen;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config;

/// <summary>Fields of the API that hold keys, passwords and tokens: never shown, never saved. A place from where one is read is no secret.</summary>
internal static class SensitiveFields
{
    /// <summary>What stands in the place of a secret.</summary>
    public const string Redacted = "[redacted]";

    private const string Tls = "envoy.extensions.transport_sockets.tls.v3.";
    private const string Grpc = "envoy.config.core.v3.GrpcService.GoogleGrpc.";
    private const string Redis = "envoy.extensions.filters.network.redis_proxy.v3.";

    private static readonly FrozenSet<string> Names = FrozenSet.ToFrozenSet(
    [
        Tls + "TlsCertificate.private_key", Tls + "TlsCertificate.password", Tls + "TlsCertificate.pkcs12", Tls + "TlsSessionTicketKeys.keys",
        Tls + "TlsCertificate.private_key_provider", Tls + "GenericSecret.secret", Tls + "GenericSecret.secrets",
        Grpc + "SslCredentials.private_key", Grpc + "CallCredentials.access_token", Grpc + "CallCredentials.google_refresh_token",
        "envoy.config.grpc_credential.v3.FileBasedMetadataConfig.secret_data",
        Redis + "RedisProxy.downstream_auth_password", Redis + "RedisProxy.downstream_auth_passwords", Redis + "RedisProtocolOptions.auth_password",
    ]);

    /// <summary>Full names of the fields; for the test that holds them against the protos.</summary>
    internal static IEnumerable<string> All => Names;

    public static bool Contains(FieldDescriptor field) => Names.Contains(field.FullName);

    /// <summary>Puts <see cref="Redacted"/> in the place of what a message has there itself.</summary>
    public static void Redact(IMessage message, FieldDescriptor field)
    {
        switch (field.Accessor.GetValue(message))
        {
            case string { Length: > 0 }:
                field.Accessor.SetValue(message, Redacted);
                break;
            case DataSource source:
                Redact(source);
                break;
            case IDictionary map:
                RedactAll(map.Values);
                break;
            case IList list:
                RedactAll(list);
                break;
            case IMessage:
                field.Accessor.Clear(message);
                break;
        }
    }

    private static void RedactAll(ICollection items)
    {
        foreach (DataSource source in items.OfType<DataSource>())
        {
            Redact(source);
        }
    }

    private static void Redact(DataSource source)
    {
        if (source.SpecifierCase is DataSource.SpecifierOneofCase.InlineBytes or DataSource.SpecifierOneofCase.InlineString)
        {
            source.InlineString = Redacted;
        }
    }
}
