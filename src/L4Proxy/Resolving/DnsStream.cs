using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>Messages over TCP: two bytes of length, then the message (RFC 1035 section 4.2.2).</summary>
internal static class DnsStream
{
    /// <summary>Bytes in front of a message.</summary>
    public const int Prefix = 2;

    /// <summary>Reads one message; its length, or -1 at the end of the stream, and for a length that cannot be.</summary>
    /// <param name="input">The stream.</param>
    /// <param name="block">Takes the message; the longest it may be.</param>
    public static async ValueTask<int> ReadAsync(PipeReader input, Memory<byte> block)
    {
        while (true)
        {
            ReadResult read = await input.ReadAsync();
            int length = Take(read.Buffer, block.Span, out SequencePosition consumed);
            if (length != 0)
            {
                input.AdvanceTo(consumed);
                return length;
            }

            input.AdvanceTo(consumed, read.Buffer.End);
            if (read.IsCompleted)
            {
                return -1;
            }
        }
    }

    /// <summary>Sends a message for whose length there is room in front.</summary>
    /// <param name="output">The stream.</param>
    /// <param name="framed">Two bytes of room, then the message.</param>
    public static async ValueTask WriteAsync(PipeWriter output, Memory<byte> framed)
    {
        BinaryPrimitives.WriteUInt16BigEndian(framed.Span, (ushort)(framed.Length - Prefix));
        await output.WriteAsync(framed);
    }

    /// <summary>Zero when more must come.</summary>
    private static int Take(in ReadOnlySequence<byte> buffer, Span<byte> block, out SequencePosition consumed)
    {
        consumed = buffer.Start;
        Span<byte> prefix = stackalloc byte[Prefix];
        if (buffer.Length < Prefix)
        {
            return 0;
        }

        buffer.Slice(0, Prefix).CopyTo(prefix);
        int length = BinaryPrimitives.ReadUInt16BigEndian(prefix);
        if (length < DnsMessage.HeaderLength || length > block.Length)
        {
            return -1;
        }

        if (buffer.Length < Prefix + length)
        {
            return 0;
        }

        ReadOnlySequence<byte> message = buffer.Slice(Prefix, length);
        message.CopyTo(block);
        consumed = message.End;
        return length;
    }
}
