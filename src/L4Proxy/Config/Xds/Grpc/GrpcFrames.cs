using System.Buffers.Binary;
using System.IO.Compression;
using Google.Protobuf;

namespace MeshL4.L4Proxy.Config.Xds.Grpc;

/// <summary>
/// Length-prefixed messages of gRPC over HTTP/2: one byte of flags (1: compressed), four bytes of length, big-endian, the message.
/// Source: the protocol description in the gRPC repository, "Length-Prefixed-Message".
/// </summary>
internal static class GrpcFrames
{
    private const int HeaderBytes = 5;
    private const int FirstPiece = 64 * 1024;

    /// <summary>The frame of a message, not compressed.</summary>
    public static byte[] Encode(IMessage message)
    {
        int size = message.CalculateSize();
        var frame = new byte[HeaderBytes + size];
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)size);
        message.WriteTo(frame.AsSpan(HeaderBytes));
        return frame;
    }

    /// <summary>The next message, or null at the end of the stream.</summary>
    /// <param name="body">The response's body.</param>
    /// <param name="encoding">The response's <c>grpc-encoding</c>: what a compressed message is compressed with.</param>
    /// <param name="maxBytes">Longest message taken, before and after decompression.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="GrpcException">The frame is too long, broken off, or of an unknown kind.</exception>
    public static async ValueTask<byte[]?> ReadAsync(Stream body, string? encoding, int maxBytes, CancellationToken cancellation)
    {
        var header = new byte[HeaderBytes];
        int read = await body.ReadAtLeastAsync(header, HeaderBytes, throwOnEndOfStream: false, cancellation).ConfigureAwait(false);
        if (read == 0)
        {
            return null;
        }

        if (read < HeaderBytes || header[0] > 1)
        {
            throw new GrpcException(GrpcStatus.Internal, read < HeaderBytes ? "a frame breaks off in its header" : $"a frame has the unknown flags {header[0]}");
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(1));
        if (length > maxBytes)
        {
            throw new GrpcException(GrpcStatus.ResourceExhausted, $"a message of {length} bytes is above the limit of {maxBytes}");
        }

        byte[] message = await ReadBodyAsync(body, (int)length, cancellation).ConfigureAwait(false);
        return header[0] == 0 ? message : Decompress(message, encoding, maxBytes);
    }

    /// <summary>The buffer grows with what arrived: a declared length alone costs nothing.</summary>
    private static async ValueTask<byte[]> ReadBodyAsync(Stream body, int length, CancellationToken cancellation)
    {
        var buffer = new byte[Math.Min(length, FirstPiece)];
        int filled = 0;
        while (filled < length)
        {
            if (filled == buffer.Length)
            {
                Array.Resize(ref buffer, (int)Math.Min(length, buffer.Length * 2L));
            }

            int read = await body.ReadAsync(buffer.AsMemory(filled), cancellation).ConfigureAwait(false);
            if (read == 0)
            {
                throw new GrpcException(GrpcStatus.Internal, $"a message of {length} bytes breaks off after {filled}");
            }

            filled += read;
        }

        return buffer;
    }

    private static byte[] Decompress(byte[] message, string? encoding, int maxBytes)
    {
        if (encoding != "gzip")
        {
            throw new GrpcException(GrpcStatus.Internal, $"a message is compressed with '{encoding ?? "nothing that was named"}'; gzip and identity are known");
        }

        using var plain = new MemoryStream();
        using var gzip = new GZipStream(new MemoryStream(message), CompressionMode.Decompress);
        var piece = new byte[16 * 1024];
        try
        {
            for (int read = gzip.Read(piece); read > 0; read = gzip.Read(piece))
            {
                plain.Write(piece, 0, read);
                if (plain.Length > maxBytes)
                {
                    throw new GrpcException(GrpcStatus.ResourceExhausted, $"a message unpacks to more than the limit of {maxBytes} bytes");
                }
            }
        }
        catch (InvalidDataException broken)
        {
            throw new GrpcException(GrpcStatus.Internal, $"a message is not gzip: {broken.Message}", broken);
        }

        return plain.ToArray();
    }
}
