using System.Buffers;
using MeshL4.L4Proxy.Sniffing;

namespace MeshL4.Micro.Operations;

/// <summary>A ClientHello of the usual size (517 bytes, as browsers pad it) with SNI and two ALPN names.</summary>
internal sealed class ClientHelloOperations
{
    private readonly ReadOnlySequence<byte> _hello = new(Build());

    /// <summary>Bytes to SNI and ALPN; allocates the names and the list of them.</summary>
    public int Parse()
    {
        var scanner = new TlsHelloScanner(SniffBudget.Default.TlsBytes);
        return (int)scanner.Read(_hello).Status;
    }

    private static byte[] Build()
    {
        byte[] name = "www.example.com"u8.ToArray();
        byte[] extensions =
        [
            0, 0, 0, 20, 0, 18, 0, 0, 15, .. name,
            0, 16, 0, 14, 0, 12, 2, (byte)'h', (byte)'2', 8, .. "http/1.1"u8,
            0, 21, 1, 117, .. new byte[373],
        ];
        byte[] body = [3, 3, .. new byte[32], 32, .. new byte[32], 0, 16, .. new byte[16], 1, 0, .. Length(extensions), .. extensions];
        byte[] message = [1, 0, .. Length(body), .. body];
        return [22, 3, 1, .. Length(message), .. message];
    }

    private static byte[] Length(byte[] data) => [(byte)(data.Length >> 8), (byte)data.Length];
}
