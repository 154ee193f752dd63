using System.Buffers.Binary;
using System.Text;

namespace MeshL4.L4Proxy.Tests.Sniffing;

/// <summary>Writes ClientHellos field by field, well-formed or not.</summary>
internal sealed class HelloBuilder
{
    private readonly List<(int Type, byte[] Data)> _extensions = [];

    public byte MessageType { get; init; } = 1;

    public byte[] SessionId { get; init; } = new byte[32];

    public byte[] CipherSuites { get; init; } = [0x13, 0x01, 0x13, 0x02];

    public bool WithoutExtensions { get; init; }

    public static byte[] Simple(string? sni, params string[] alpn)
    {
        var builder = new HelloBuilder();
        builder = sni is null ? builder : builder.ServerName(Encoding.Latin1.GetBytes(sni));
        return (alpn.Length == 0 ? builder : builder.Alpn(alpn)).Records();
    }

    public HelloBuilder Extension(int type, params byte[] data)
    {
        _extensions.Add((type, data));
        return this;
    }

    public HelloBuilder ServerName(byte[] name) =>
        Extension(0, Vector16([0, .. Vector16(name)]));

    public HelloBuilder Alpn(params string[] names) =>
        Extension(16, Vector16([.. names.SelectMany(n => (byte[])[(byte)n.Length, .. Encoding.Latin1.GetBytes(n)])]));

    public byte[] Message()
    {
        byte[] extensions = [.. _extensions.SelectMany(e => (byte[])[.. UInt16(e.Type), .. Vector16(e.Data)])];
        byte[] body =
        [
            3, 3, .. new byte[32], (byte)SessionId.Length, .. SessionId, .. Vector16(CipherSuites), 1, 0,
            .. WithoutExtensions ? [] : Vector16(extensions),
        ];
        return [MessageType, (byte)(body.Length >> 16), .. UInt16(body.Length & 0xffff), .. body];
    }

    /// <summary>The message in handshake records of at most this many bytes.</summary>
    public byte[] Records(int recordSize = 16384) => Wrap(Message(), recordSize);

    public static byte[] Wrap(byte[] message, int recordSize) =>
        [.. message.Chunk(recordSize).SelectMany(c => (byte[])[22, 3, 1, .. Vector16(c)])];

    public static byte[] Vector16(byte[] data) => [.. UInt16(data.Length), .. data];

    private static byte[] UInt16(int value)
    {
        var bytes = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)value);
        return bytes;
    }
}
