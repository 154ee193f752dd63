using System.Text;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>ALPN wire names as strings; the common ones without an allocation.</summary>
internal static class ApplicationProtocolNames
{
    /// <summary>IANA names first, then those Istio's sidecars speak to each other.</summary>
    private static readonly string[] Known =
    [
        "h2", "http/1.1", "istio", "istio-peer-exchange", "istio-h2", "istio-http/1.1", "istio-http/1.0", "http/1.0",
    ];

    /// <summary>Latin-1, so that different bytes never become the same string.</summary>
    public static string Intern(ReadOnlySpan<byte> wire)
    {
        foreach (string known in Known)
        {
            if (Ascii.Equals(wire, known))
            {
                return known;
            }
        }

        return Encoding.Latin1.GetString(wire);
    }
}
