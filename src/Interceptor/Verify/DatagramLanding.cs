using System.Net;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Verify;

/// <summary>A stand-in for a resolver: takes a datagram and answers from the address that it was delivered to, as translated answers must
/// come from there to be translated back.</summary>
internal static unsafe class DatagramLanding
{
    /// <summary>Takes one datagram, answers it, and says where it came from; null when there is none after all.</summary>
    public static IPEndPoint? Answer(int fd)
    {
        byte payload;
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        byte* control = stackalloc byte[ControlMessages.Capacity];
        var part = new IoVector { Base = &payload, Length = 1 };
        var message = new MessageHeader
        {
            Name = address,
            NameLength = SocketAddressBytes.Capacity,
            Parts = &part,
            PartCount = 1,
            Control = control,
            ControlLength = ControlMessages.Capacity,
        };
        if (DatagramCalls.Receive(fd, &message, SocketCalls.DontWait) < 0)
        {
            return null;
        }

        // Room is kept as it was: the answer's control message is written over the question's.
        var bytes = new Span<byte>(control, ControlMessages.Capacity);
        if (DatagramLocalAddress.Read(bytes[..(int)message.ControlLength]) is IPAddress local)
        {
            message.ControlLength = (nuint)DatagramLocalAddress.Write(local, bytes);
            // What cannot be answered shows as a probe without an answer.
            _ = DatagramCalls.Send(fd, &message, SocketCalls.DontWait | SocketCalls.NoSignal);
        }

        return SocketAddressBytes.ReadIp(new ReadOnlySpan<byte>(address, SocketAddressBytes.Capacity));
    }
}
