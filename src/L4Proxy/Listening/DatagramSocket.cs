using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Listening;

/// <summary>What a listener asks the kernel to say of each datagram's destination.</summary>
internal enum DestinationSource
{
    /// <summary>Nothing: bound to one address.</summary>
    None,

    /// <summary>The local address: bound to all of them.</summary>
    LocalAddress,

    /// <summary>The original destination: delivered by TPROXY.</summary>
    Original,
}

/// <summary>A datagram as received; <see cref="Length"/> is negative when there was none.</summary>
/// <param name="Length">Bytes in the buffer.</param>
/// <param name="Client">Its source.</param>
/// <param name="Destination">As <see cref="DatagramFlow.Destination"/>.</param>
/// <param name="Truncated">Longer than the buffer.</param>
/// <param name="DestinationLost">The destination was asked for and did not come: the kernel cut the control messages.</param>
internal readonly record struct ReceivedDatagram(nint Length, IPEndPoint? Client, IPEndPoint? Destination, bool Truncated, bool DestinationLost);

/// <summary>Receives and sends the datagrams of UDP sockets, with their destinations.</summary>
internal static unsafe class DatagramSocket
{
    /// <summary>What to ask for on a listener's socket.</summary>
    public static DestinationSource SourceFor(ListenerSnapshot listener) =>
        listener.Transparent ? DestinationSource.Original
        : listener.Address is IPEndPoint { Address: { } address } && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) ? DestinationSource.LocalAddress
        : DestinationSource.None;

    /// <exception cref="InvalidOperationException">The kernel refused.</exception>
    public static void Ask(int fd, AddressFamily family, DestinationSource source)
    {
        if (source == DestinationSource.Original)
        {
            DatagramOriginalDestination.Enable(fd, family);
        }
        else if (source == DestinationSource.LocalAddress)
        {
            DatagramLocalAddress.Enable(fd, family);
        }
    }

    /// <summary>Receives one datagram of a listener's socket.</summary>
    /// <param name="fd">The socket.</param>
    /// <param name="buffer">Takes the bytes.</param>
    /// <param name="capacity">Its size.</param>
    /// <param name="source">What was asked for.</param>
    /// <param name="port">The listener's own port, which goes with a local address.</param>
    /// <param name="controlCapacity">Room for control messages, at most <see cref="ControlMessages.Capacity"/>.</param>
    public static ReceivedDatagram Receive(
        int fd, byte* buffer, int capacity, DestinationSource source, int port, int controlCapacity)
    {
        byte* name = stackalloc byte[SocketAddressBytes.Capacity];
        byte* control = stackalloc byte[ControlMessages.Capacity];
        IoVector part = new() { Base = buffer, Length = (nuint)capacity };
        MessageHeader message = new()
        {
            Name = name,
            NameLength = SocketAddressBytes.Capacity,
            Parts = &part,
            PartCount = 1,
            Control = source == DestinationSource.None ? null : control,
            ControlLength = source == DestinationSource.None ? 0 : (nuint)controlCapacity,
        };
        nint length = DatagramCalls.Receive(fd, &message, 0);
        if (length < 0)
        {
            return new ReceivedDatagram(-1, null, null, false, false);
        }

        bool cut = (message.Flags & DatagramCalls.ControlTruncated) != 0;
        IPEndPoint? destination = cut ? null : Destination(new ReadOnlySpan<byte>(control, (int)message.ControlLength), source, port);
        return new ReceivedDatagram(
            length,
            SocketAddressBytes.ReadIp(new ReadOnlySpan<byte>(name, (int)message.NameLength)),
            destination,
            (message.Flags & DatagramCalls.Truncated) != 0,
            cut || (source == DestinationSource.Original && destination is null));
    }

    /// <summary>Sends to a client, from <paramref name="source"/> when one is given.</summary>
    /// <returns>0, or errno.</returns>
    public static int SendTo(int fd, IPEndPoint client, IPAddress? source, void* datagram, nint length)
    {
        byte* name = stackalloc byte[SocketAddressBytes.Capacity];
        byte* control = stackalloc byte[ControlMessages.Capacity];
        IoVector part = new() { Base = datagram, Length = (nuint)length };
        MessageHeader message = new()
        {
            Name = name,
            NameLength = (uint)SocketAddressBytes.Write(client, new Span<byte>(name, SocketAddressBytes.Capacity)),
            Parts = &part,
            PartCount = 1,
        };
        if (source is not null)
        {
            message.Control = control;
            message.ControlLength = (nuint)DatagramLocalAddress.Write(source, new Span<byte>(control, ControlMessages.Capacity));
        }

        return DatagramCalls.Send(fd, &message, SocketCalls.DontWait | SocketCalls.NoSignal) < 0 ? Marshal.GetLastSystemError() : 0;
    }

    /// <summary>Sends on a connected socket. A call that only fetched the ICMP error of an earlier datagram is made once more: the
    /// error is gone with it, and the datagram has not been sent.</summary>
    /// <param name="fd">The socket.</param>
    /// <param name="datagram">The bytes.</param>
    /// <param name="length">How many.</param>
    /// <param name="sentAgain">Counts second calls.</param>
    /// <returns>0, or errno.</returns>
    public static int Send(int fd, void* datagram, nint length, ref long sentAgain)
    {
        if (SocketCalls.Send(fd, datagram, length, SocketCalls.NoSignal) >= 0)
        {
            return 0;
        }

        int error = Marshal.GetLastSystemError();
        if (!IsIcmp(error))
        {
            return error;
        }

        Interlocked.Increment(ref sentAgain);
        return SocketCalls.Send(fd, datagram, length, SocketCalls.NoSignal) < 0 ? Marshal.GetLastSystemError() : 0;
    }

    /// <summary>Whether an errno may stand for an ICMP message about an earlier datagram.</summary>
    public static bool IsIcmp(int error) =>
        error is Errno.ECONNREFUSED or Errno.EHOSTUNREACH or Errno.ENETUNREACH or Errno.ENOPROTOOPT;

    private static IPEndPoint? Destination(ReadOnlySpan<byte> control, DestinationSource source, int port) => source switch
    {
        DestinationSource.Original => DatagramOriginalDestination.Read(control),
        DestinationSource.LocalAddress => DatagramLocalAddress.Read(control) is { } address ? new IPEndPoint(address, port) : null,
        _ => null,
    };
}
