using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using DataSource = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.DataSource;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>A secret that was accepted. It holds nothing private: what speaks TLS reads the message anew.</summary>
internal sealed record SecretConfig(string Name, Secret.TypeOneofCase Kind);

/// <summary>Checks <c>envoy.extensions.transport_sockets.tls.v3.Secret</c>: what it holds can be read and fits together. No error repeats any of it.</summary>
internal static class SecretDecoder
{
    public static SecretConfig Decode(Secret secret, DecodeScope scope)
    {
        switch (secret.TypeCase)
        {
            case Secret.TypeOneofCase.TlsCertificate:
                Check(secret.TlsCertificate, scope.Field("tls_certificate"));
                break;
            case Secret.TypeOneofCase.ValidationContext:
                Check(secret.ValidationContext, scope.Field("validation_context"));
                break;
            case Secret.TypeOneofCase.SessionTicketKeys:
                Check(secret.SessionTicketKeys, scope.Field("session_ticket_keys"));
                break;
            case Secret.TypeOneofCase.GenericSecret:
                Read(secret.GenericSecret.Secret, scope.Field("generic_secret.secret"));
                foreach ((string key, DataSource value) in secret.GenericSecret.Secrets)
                {
                    Read(value, scope.Field($"generic_secret.secrets[{key}]"));
                }

                break;
            default:
                scope.Error("tls_certificate, validation_context, session_ticket_keys or generic_secret is required");
                break;
        }

        return new SecretConfig(secret.Name, secret.TypeCase);
    }

    private static void Check(TlsCertificate certificate, DecodeScope scope)
    {
        // A key that lives elsewhere, or in one file with its chain, is for what speaks TLS to open.
        if (certificate.PrivateKeyProvider is not null || certificate.Pkcs12 is not null)
        {
            return;
        }

        string? chain = Required(certificate.CertificateChain, scope.Field("certificate_chain"));
        string? key = Required(certificate.PrivateKey, scope.Field("private_key"));
        string? password = certificate.Password is null ? "" : Read(certificate.Password, scope.Field("password"));
        if (chain is null || key is null || password is null || !IsPem(chain, scope.Field("certificate_chain")))
        {
            return;
        }

        try
        {
            using X509Certificate2 leaf = certificate.Password is null
                ? X509Certificate2.CreateFromPem(chain, key) : X509Certificate2.CreateFromEncryptedPem(chain, key, password);
        }
        catch (Exception unfit) when (unfit is CryptographicException or ArgumentException)
        {
            scope.Field("private_key").Error("is no PEM key, or not that of the first certificate of certificate_chain");
        }
    }

    private static void Check(CertificateValidationContext context, DecodeScope scope)
    {
        if (context.TrustedCa is not null && Required(context.TrustedCa, scope.Field("trusted_ca")) is { } roots)
        {
            IsPem(roots, scope.Field("trusted_ca"));
        }

        Read(context.Crl, scope.Field("crl"));
    }

    private static void Check(TlsSessionTicketKeys tickets, DecodeScope scope)
    {
        const int KeyBytes = 80;
        if (tickets.Keys.Count == 0)
        {
            scope.Field("keys").Error("at least one is required");
        }

        for (int i = 0; i < tickets.Keys.Count; i++)
        {
            if (DataSourceDecoder.Decode(tickets.Keys[i], scope.Item("keys", i)) is { } key && key.Length != KeyBytes)
            {
                scope.Item("keys", i).Error($"has {key.Length} bytes where {KeyBytes} belong");
            }
        }
    }

    private static bool IsPem(string text, DecodeScope scope)
    {
        var all = new X509Certificate2Collection();
        try
        {
            all.ImportFromPem(text);
        }
        catch (CryptographicException)
        {
            // Told below: none was read.
        }

        if (all.Count == 0)
        {
            scope.Error("holds no PEM certificate");
        }

        foreach (X509Certificate2 one in all)
        {
            one.Dispose();
        }

        return all.Count > 0;
    }

    private static string? Required(DataSource? source, DecodeScope scope)
    {
        string? text = Read(source, scope);
        if (text is { Length: 0 })
        {
            scope.Error("is required");
            return null;
        }

        return text;
    }

    /// <summary>Null, with an error, when it cannot be had.</summary>
    private static string? Read(DataSource? source, DecodeScope scope)
        => DataSourceDecoder.Decode(source, scope) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;
}
