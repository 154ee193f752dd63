namespace MeshL4.L4Proxy.Sniffing;

/// <summary>How many bytes may be looked at before a decision. The time budget is the caller's timer.</summary>
/// <param name="TlsBytes">Raw bytes, record headers included, a ClientHello may take.</param>
/// <param name="HttpBytes">Bytes of an HTTP/1 request line.</param>
internal readonly record struct SniffBudget(int TlsBytes, int HttpBytes)
{
    /// <summary>64 KiB for TLS (as Envoy's tls_inspector), 8 KiB for HTTP.</summary>
    public static readonly SniffBudget Default = new(64 * 1024, 8 * 1024);
}
