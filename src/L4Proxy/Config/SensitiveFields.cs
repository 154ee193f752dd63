using System.Collections;
using System.Collections.Frozen;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config;

/// <summary>
/// Fields of the API that hold keys, passwords and tokens: never shown, never saved. A place from where one is read is no secret. The one list
/// of them: /config_dump and the file of the last good resources both go by it.
/// </summary>
internal static class SensitiveFields
{
    /// <summary>What stands in the place of a secret where one is shown.</summary>
    public const string Redacted = "[redacted]";

    private const string Tls = "envoy.extensions.transport_sockets.tls.v3.";
    private const string Service = "envoy.config.core.v3.GrpcService.";
    private const string Grpc = Service + "GoogleGrpc.";
    private const string Redis = "envoy.extensions.filters.network.redis_proxy.v3.";
    private const string XRpc = "meshl4.xrpc.v1.";

    /// <summary>Values of HTTP headers that routes add: a token may be among them, and the L7 engine adds them, not this process.</summary>
    private const string AddedHeader = "envoy.config.core.v3.HeaderValueOption.header";

    private static readonly FrozenSet<string> Names = FrozenSet.ToFrozenSet(
    [
        AddedHeader,
        Tls + "TlsCertificate.private_key", Tls + "TlsCertificate.password", Tls + "TlsCertificate.pkcs12", Tls + "TlsSessionTicketKeys.keys",
        Tls + "TlsCertificate.private_key_provider", Tls + "GenericSecret.secret", Tls + "GenericSecret.secrets",
        Grpc + "SslCredentials.private_key", Grpc + "CallCredentials.access_token", Grpc + "CallCredentials.google_refresh_token",
        Grpc + "config", Service + "initial_metadata",
        "envoy.config.grpc_credential.v3.FileBasedMetadataConfig.secret_data",
        Redis + "RedisProxy.downstream_auth_password", Redis + "RedisProxy.downstream_auth_passwords", Redis + "RedisProtocolOptions.auth_password",
        Redis + "RedisProtocolOptions.Credential.auth_password",
        XRpc + "Authentication.passwords", XRpc + "Credentials.password",
    ]);

    /// <summary>Full names of the fields; for the test that holds them against the protos.</summary>
    internal static IEnumerable<string> All => Names;

    public static bool Contains(FieldDescriptor field) => Names.Contains(field.FullName);

    /// <summary>Whether nothing that this process does depends on the field.</summary>
    public static bool IsForOthers(FieldDescriptor field) => field.FullName == AddedHeader;

    /// <summary>Puts <see cref="Redacted"/> in the place of what a message has there itself.</summary>
    public static void Redact(IMessage message, FieldDescriptor field) => TakeOut(message, field, Redacted);

    /// <summary>Leaves nothing in the place of what a message has there itself.</summary>
    /// <returns>False when there was nothing: the field is not set, or names a place.</returns>
    public static bool Remove(IMessage message, FieldDescriptor field) => TakeOut(message, field, null);

    private static bool TakeOut(IMessage message, FieldDescriptor field, string? instead)
    {
        switch (field.Accessor.GetValue(message))
        {
            case string { Length: > 0 }:
                field.Accessor.SetValue(message, instead ?? "");
                return true;
            case DataSource source:
                return TakeOut(source, instead);
            case HeaderValue header:
                return TakeOut(header, instead);
            case IDictionary map:
                return TakeOutAll(map.Values, instead);
            case IList list:
                return TakeOutAll(list, instead);
            case IMessage:
                field.Accessor.Clear(message);
                return true;
            default:
                return false;
        }
    }

    private static bool TakeOutAll(ICollection items, string? instead)
    {
        bool any = false;
        foreach (object item in items)
        {
            any |= item switch
            {
                DataSource source => TakeOut(source, instead),
                HeaderValue header => TakeOut(header, instead),
                _ => false,
            };
        }

        return any;
    }

    private static bool TakeOut(DataSource source, string? instead)
    {
        if (source.SpecifierCase is not (DataSource.SpecifierOneofCase.InlineBytes or DataSource.SpecifierOneofCase.InlineString))
        {
            return false;
        }

        source.ClearSpecifier();
        if (instead is not null)
        {
            source.InlineString = instead;
        }

        return true;
    }

    /// <summary>The header's name stays.</summary>
    private static bool TakeOut(HeaderValue header, string? instead)
    {
        bool any = header.Value.Length + header.RawValue.Length > 0;
        (header.Value, header.RawValue) = (any ? instead ?? "" : "", ByteString.Empty);
        return any;
    }
}
