using System.Buffers;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>
/// Finds the ClientHello in the record layer (RFC 8446 §5.1): it may be spread over any number of handshake records.
/// Remembers how far it walked, so that a hello arriving one byte or one tiny record at a time costs linear work in
/// all. Every call gets the whole sequence from the connection's first byte after a PROXY header.
/// </summary>
internal struct TlsHelloScanner(int byteBudget)
{
    private const int RecordHeader = 5;
    private const int MessageHeader = 4;
    private const byte HandshakeRecord = 22;
    private const byte ClientHelloType = 1;

    /// <summary>Plaintext limit of one record (RFC 8446 §5.1).</summary>
    private const int MaxRecord = 1 << 14;

    // Offset of the first record header not yet walked past, and the handshake bytes in the records before it.
    private long _nextRecord;
    private int _payloadBefore;

    // Handshake bytes of header and body together; zero until the four header bytes are there.
    private int _messageLength;

    /// <summary>Looks at all bytes so far. Allocates only for names that are not well known.</summary>
    public TlsSniff Read(in ReadOnlySequence<byte> bytes)
    {
        Span<byte> start = stackalloc byte[2];
        int seen = CopyPrefix(bytes, start);
        if ((seen > 0 && start[0] != HandshakeRecord) || (seen > 1 && start[1] != 3))
        {
            return TlsSniff.NotTls;
        }

        return seen < 2 ? TlsSniff.NeedMore : Walk(bytes);
    }

    private TlsSniff Walk(in ReadOnlySequence<byte> bytes)
    {
        if (WalkRecords(bytes, out int payload) is { } error)
        {
            return TlsSniff.Invalid(error);
        }

        if (_messageLength > 0 && payload >= _messageLength)
        {
            return Parse(bytes);
        }

        return bytes.Length >= byteBudget
            ? TlsSniff.Invalid("tls_client_hello_incomplete_at_byte_limit")
            : TlsSniff.NeedMore;
    }

    /// <summary>Walks past whole records; <paramref name="payload"/> counts handshake bytes, those of a partial record included.</summary>
    private string? WalkRecords(in ReadOnlySequence<byte> bytes, out int payload)
    {
        payload = _payloadBefore;
        ReadOnlySequence<byte> rest = bytes.Slice(Math.Min(_nextRecord, bytes.Length));
        Span<byte> header = stackalloc byte[RecordHeader];
        while (CopyPrefix(rest, header) == RecordHeader)
        {
            if (CheckRecordHeader(header, out int length) is { } recordError)
            {
                return recordError;
            }

            long there = rest.Length - RecordHeader;
            payload = _payloadBefore + (int)Math.Min(length, there);
            if (ReadMessageHeader(bytes, payload) is { } messageError)
            {
                return messageError;
            }

            // What follows the hello (early data, say) is none of our business: stop before its record.
            if (there < length || (_messageLength > 0 && payload >= _messageLength))
            {
                return null;
            }

            _payloadBefore = payload;
            _nextRecord += RecordHeader + length;
            rest = rest.Slice(RecordHeader + length);
        }

        return null;
    }

    private static string? CheckRecordHeader(ReadOnlySpan<byte> header, out int length)
    {
        length = (header[3] << 8) | header[4];
        if (header[0] != HandshakeRecord)
        {
            return "tls_other_record_inside_client_hello";
        }

        if (header[1] != 3)
        {
            return "tls_record_version";
        }

        return length is 0 or > MaxRecord ? "tls_record_length" : null;
    }

    private string? ReadMessageHeader(in ReadOnlySequence<byte> bytes, int payload)
    {
        if (_messageLength > 0 || payload == 0)
        {
            return null;
        }

        Span<byte> header = stackalloc byte[MessageHeader];
        header = header[..Math.Min(payload, MessageHeader)];
        CopyPayload(bytes, header);
        if (header[0] != ClientHelloType)
        {
            return "tls_first_message_not_client_hello";
        }

        if (header.Length < MessageHeader)
        {
            return null;
        }

        _messageLength = MessageHeader + ((header[1] << 16) | (header[2] << 8) | header[3]);
        return _messageLength > byteBudget ? "tls_client_hello_too_long" : null;
    }

    private readonly TlsSniff Parse(in ReadOnlySequence<byte> bytes)
    {
        ReadOnlySpan<byte> first = bytes.FirstSpan;
        if (first.Length >= RecordHeader + _messageLength && ((first[3] << 8) | first[4]) >= _messageLength)
        {
            return ClientHelloMessage.Parse(first.Slice(RecordHeader + MessageHeader, _messageLength - MessageHeader));
        }

        byte[] rented = ArrayPool<byte>.Shared.Rent(_messageLength);
        try
        {
            Span<byte> message = rented.AsSpan(0, _messageLength);
            CopyPayload(bytes, message);
            return ClientHelloMessage.Parse(message[MessageHeader..]);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Copies handshake bytes from the front, leaving record headers out. The caller knows that they are there.</summary>
    private static void CopyPayload(in ReadOnlySequence<byte> bytes, Span<byte> destination)
    {
        ReadOnlySequence<byte> rest = bytes;
        Span<byte> header = stackalloc byte[RecordHeader];
        while (!destination.IsEmpty)
        {
            CopyPrefix(rest, header);
            int length = (header[3] << 8) | header[4];
            int taken = Math.Min(length, destination.Length);
            rest.Slice(RecordHeader, taken).CopyTo(destination);
            destination = destination[taken..];
            rest = rest.Slice(RecordHeader + taken);
        }
    }

    private static int CopyPrefix(in ReadOnlySequence<byte> bytes, Span<byte> destination)
    {
        int count = (int)Math.Min(bytes.Length, destination.Length);
        bytes.Slice(0, count).CopyTo(destination);
        return count;
    }
}
