using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.Samples.PingPong.Peers;

/// <summary>A frame as a peer understands it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Id">Pairs answers with calls.</param>
/// <param name="Service">Who is called.</param>
/// <param name="Payload">What is said.</param>
/// <param name="Tenant">Who calls.</param>
/// <param name="Lane">Kind of traffic.</param>
public sealed record PingPongMessage(PingPongKind Kind, uint Id, string Service = "", string Payload = "", string Tenant = "", char Lane = '-')
{
    /// <summary>Whether a call may be repeated; told in calls only.</summary>
    public bool IsIdempotent { get; init; }
}

/// <summary>One end of a connection. Reads frames in a way of its own, so that a mistake of the codec is not repeated here.</summary>
/// <param name="socket">Connected; closed with this.</param>
public sealed class PingPongConnection(Socket socket) : IDisposable
{
    private const int MostBody = 128 * 1024 * 1024;

    private readonly NetworkStream _stream = new(socket, ownsSocket: true);
    private readonly SemaphoreSlim _writing = new(1);

    /// <summary>The next frame; null when the other side ended the connection between two frames.</summary>
    /// <exception cref="IOException">It ended inside a frame, was reset, or sent something else.</exception>
    public async Task<PingPongMessage?> ReadAsync(CancellationToken cancel = default)
    {
        byte[] head = new byte[PingPongFrame.HeadLength];
        int first = await _stream.ReadAsync(head.AsMemory(0, 1), cancel);
        if (first == 0)
        {
            return null;
        }

        await _stream.ReadExactlyAsync(head.AsMemory(1), cancel);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(PingPongFrame.BodyLengthAt));
        if (BinaryPrimitives.ReadUInt16BigEndian(head) != PingPongFrame.Magic || length > MostBody)
        {
            throw new IOException("not a frame of this protocol");
        }

        byte[] body = new byte[length];
        await _stream.ReadExactlyAsync(body, cancel);
        int service = head[PingPongFrame.ServiceLengthAt];
        int tenant = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(PingPongFrame.TenantLengthAt));
        return new PingPongMessage(
            (PingPongKind)head[PingPongFrame.KindAt],
            BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(PingPongFrame.IdAt)),
            Encoding.UTF8.GetString(body, 0, service),
            Encoding.UTF8.GetString(body, service, body.Length - service - tenant),
            Encoding.UTF8.GetString(body, body.Length - tenant, tenant),
            (char)head[PingPongFrame.LaneAt]);
    }

    /// <summary>Sends frames together.</summary>
    public Task WriteAsync(params PingPongMessage[] messages) => WriteAsync(Bytes(messages));

    /// <summary>Sends bytes, frames or not.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        await _writing.WaitAsync();
        try
        {
            await _stream.WriteAsync(bytes);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Says its last: the other side may still answer.</summary>
    public void EndWriting() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>Ends the connection with a reset, answers due or not.</summary>
    public void Reset()
    {
        // Before the stream, which would say its last in order.
        socket.Close(0);
        Dispose();
    }

    /// <summary>Frames as they are sent.</summary>
    public static ReadOnlyMemory<byte> Bytes(params PingPongMessage[] messages)
    {
        var output = new ArrayBufferWriter<byte>();
        foreach (PingPongMessage message in messages)
        {
            PingPongCodec.Write(
                output, message.Kind, message.Id, message.Service, Encoding.UTF8.GetBytes(message.Payload), message.Tenant, message.Lane,
                message.IsIdempotent ? PingPongFrame.Idempotent : (byte)0);
        }

        return output.WrittenMemory;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stream.Dispose();
        _writing.Dispose();
    }
}
