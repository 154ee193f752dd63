using System.Formats.Asn1;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using MeshL4.L4Proxy.Config.Decoding;
using SanType = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3.SubjectAltNameMatcher.Types.SanType;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>The subject alternative names of a certificate. Source: RFC 5280, section 4.2.1.6.</summary>
internal static class SubjectNames
{
    private const string Extension = "2.5.29.17";

    /// <summary>Whether one of the certificate's names keeps to one of the rules.</summary>
    public static bool MatchAny(X509Certificate2 certificate, IEnumerable<ServerNameRule> rules)
    {
        List<(SanType Kind, string Name)> names = Read(certificate);
        return rules.Any(rule => names.Exists(name => (rule.Kind == SanType.Unspecified || rule.Kind == name.Kind) && rule.Matches(name.Name)));
    }

    private static List<(SanType Kind, string Name)> Read(X509Certificate2 certificate)
    {
        var names = new List<(SanType, string)>();
        if (certificate.Extensions.FirstOrDefault(static one => one.Oid?.Value == Extension) is not { } extension)
        {
            return names;
        }

        try
        {
            AsnReader list = new AsnReader(extension.RawData, AsnEncodingRules.DER).ReadSequence();
            while (list.HasData)
            {
                Asn1Tag tag = list.PeekTag();
                switch (tag.TagClass == TagClass.ContextSpecific ? tag.TagValue : -1)
                {
                    case 2:
                        names.Add((SanType.Dns, list.ReadCharacterString(UniversalTagNumber.IA5String, tag)));
                        break;
                    case 6:
                        names.Add((SanType.Uri, list.ReadCharacterString(UniversalTagNumber.IA5String, tag)));
                        break;
                    case 7:
                        names.Add((SanType.IpAddress, new IPAddress(list.ReadOctetString(tag)).ToString()));
                        break;
                    default:
                        list.ReadEncodedValue();
                        break;
                }
            }
        }
        catch (Exception broken) when (broken is AsnContentException or CryptographicException or ArgumentException)
        {
            names.Clear(); // A list that cannot be read names nobody.
        }

        return names;
    }
}
