using System.Buffers.Binary;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>PROXY v2 headers, right and wrong ones.</summary>
internal static class ProxyHeaders
{
    public static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>A header whose length field is that of <paramref name="block"/>, unless <paramref name="declared"/> says otherwise.</summary>
    public static byte[] V2(byte command, byte family, byte[]? block = null, int? declared = null)
    {
        block ??= [];
        byte[] header = [.. Signature, command, family, 0, 0, .. block];
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(14), (ushort)(declared ?? block.Length));
        return header;
    }
}
