using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Validating;
using DataSource = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.DataSource;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>TLS to a control plane: certificates are read at each connect, since agents renew them in place.</summary>
internal static class ServerTls
{
    /// <summary>Settings with what the sources hold now. The server's name, or what <see cref="ServerTlsConfig.Names"/> say, is checked against its certificate.</summary>
    /// <param name="config">The sources.</param>
    /// <param name="serverName">Name for SNI and for the check.</param>
    /// <exception cref="IOException">A source cannot be read, or is not PEM.</exception>
    public static SslClientAuthenticationOptions Options(ServerTlsConfig config, string serverName)
    {
        try
        {
            var options = new SslClientAuthenticationOptions { TargetHost = config.ServerName.Length > 0 ? config.ServerName : serverName };
            if (!config.Names.IsEmpty)
            {
                // The chain is checked as ever; which name it is for is said by the rules.
                options.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
                    (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None
                    && certificate is X509Certificate2 known && SubjectNames.MatchAny(known, config.Names);
            }

            if (config.Roots is { } roots)
            {
                options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                options.CertificateChainPolicy.CustomTrustStore.ImportFromPem(Text(roots));
            }

            if (config.Chain is { } chain && config.Key is { } key)
            {
                options.ClientCertificateContext = Client(Text(chain), Text(key));
            }

            return options;
        }
        catch (System.Security.Cryptography.CryptographicException broken)
        {
            throw new IOException($"a certificate or key cannot be used: {broken.Message}", broken);
        }
    }

    /// <summary>What a source holds.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static string Text(DataSource source)
    {
        var issues = new IssueCollector();
        byte[]? content = DataSourceDecoder.Decode(source, new DecodeScope(issues, ""));
        return content is null ? throw new IOException(string.Join("; ", issues.Issues)) : Encoding.UTF8.GetString(content);
    }

    private static SslStreamCertificateContext Client(string chain, string key)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPem(chain);
        X509Certificate2 leaf = X509Certificate2.CreateFromPem(chain, key);
        return SslStreamCertificateContext.Create(leaf, all, offline: true);
    }
}
