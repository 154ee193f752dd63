using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>A certificate authority of one test, with a server and a client certificate, as PEM files.</summary>
internal sealed class TestCertificates
{
    public TestCertificates(string folder)
    {
        (Root, ServerChain, ServerKey) = (Path.Combine(folder, "root.pem"), Path.Combine(folder, "server.pem"), Path.Combine(folder, "server.key"));
        (ClientChain, ClientKey) = (Path.Combine(folder, "client.pem"), Path.Combine(folder, "client.key"));
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test root", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 root = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(2));
        File.WriteAllText(Root, root.ExportCertificatePem());
        Issue(root, "CN=plane", ServerChain, ServerKey);
        Issue(root, "CN=proxy", ClientChain, ClientKey);
    }

    public string Root { get; }

    public string ServerChain { get; }

    public string ServerKey { get; }

    public string ClientChain { get; }

    public string ClientKey { get; }

    private static void Issue(X509Certificate2 root, string subject, string chainFile, string keyFile)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 issued = request.Create(root, root.NotBefore, root.NotAfter, RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(chainFile, issued.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
    }
}
