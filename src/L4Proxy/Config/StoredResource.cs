using System.IO.Compression;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config;

/// <summary>
/// The bytes of a resource that was compiled and let go, for /config_dump and the file of the last good resources. Resources that
/// came together are compressed together: neighbours are alike, and alone each is too short to compress well.
/// </summary>
internal sealed class StoredResource
{
    /// <summary>Bytes compressed as one: what has to be unpacked to look at one resource.</summary>
    private const int BlockBytes = 16 << 10;

    /// <summary>Fast, and within a fifth of what the best would save.</summary>
    private const int Quality = 3;
    private const int WindowBits = 16;

    private readonly string _typeUrl;
    private readonly Block _block;
    private readonly int _offset;

    private StoredResource(string typeUrl, Block block, int offset, int length) => (_typeUrl, _block, _offset, WireBytes) = (typeUrl, block, offset, length);

    /// <summary>Length of the message on the wire.</summary>
    public int WireBytes { get; }

    /// <summary>Bytes that these resources hold. A block counts once, and whole for as long as one of its resources is kept.</summary>
    public static long HeldBytes(IEnumerable<StoredResource> resources) => resources.Select(static one => one._block).Distinct().Sum(static block => (long)block.Held);

    /// <summary>Keeps the bytes of <paramref name="resources"/>, in their order.</summary>
    public static IReadOnlyList<StoredResource> Keep(string typeUrl, IReadOnlyList<OfferedResource> resources)
    {
        var kept = new List<StoredResource>(resources.Count);
        using var plain = new MemoryStream();
        var block = new Block();
        foreach (OfferedResource resource in resources)
        {
            if (plain.Length > 0 && plain.Length + resource.Wire.Length > BlockBytes)
            {
                block.Fill(plain.GetBuffer().AsSpan(0, (int)plain.Length));
                (block, plain.Position) = (new Block(), 0);
                plain.SetLength(0);
            }

            kept.Add(new StoredResource(typeUrl, block, (int)plain.Length, resource.Wire.Length));
            plain.Write(resource.Wire.Span);
        }

        block.Fill(plain.GetBuffer().AsSpan(0, (int)plain.Length));
        return kept;
    }

    /// <summary>The message, made anew with each call.</summary>
    public IMessage Read() => ConfigMessageReader.ReadAgain(_typeUrl, _block.Unpack().AsMemory(_offset, WireBytes));

    private sealed class Block
    {
        private byte[] _packed = [];
        private int _length;
        private bool _isPlain;

        public int Held => _packed.Length;

        public void Fill(ReadOnlySpan<byte> plain)
        {
            _length = plain.Length;
            byte[] packed = System.Buffers.ArrayPool<byte>.Shared.Rent(BrotliEncoder.GetMaxCompressedLength(plain.Length));
            _isPlain = !BrotliEncoder.TryCompress(plain, packed, out int written, Quality, WindowBits) || written >= plain.Length;
            _packed = _isPlain ? plain.ToArray() : packed.AsSpan(0, written).ToArray();
            System.Buffers.ArrayPool<byte>.Shared.Return(packed);
        }

        public byte[] Unpack()
        {
            if (_isPlain)
            {
                return _packed;
            }

            var plain = new byte[_length];
            return BrotliDecoder.TryDecompress(_packed, plain, out int written) && written == _length
                ? plain : throw new InvalidDataException("a stored resource does not unpack");
        }
    }
}
