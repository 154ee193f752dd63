using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Reporting.Metrics;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>
/// Answers from a port that a program of this pod has to itself: most servers set no SO_REUSEADDR, and then nobody else can bind there. A raw
/// socket has no port; what it sends has the one that is written into it (RFC 768). The client's later datagrams arrive at the listener. Needs
/// CAP_NET_RAW.
/// </summary>
internal sealed unsafe class UdpRawReply : UdpReply
{
    private const int Raw = 3;
    private const int AttachFilter = 26;
    private const int HeaderLength = 8;

    private readonly IPEndPoint _from;
    private readonly IPEndPoint _to;
    private readonly uint _addressSum;

    private UdpRawReply(EventLoop loop, int fd, DatagramFlow flow, UdpCounters counters)
        : base(loop, fd, counters)
    {
        (_from, _to) = (flow.Destination!, flow.Client);
        _addressSum = Sum(_from.Address.GetAddressBytes()) + Sum(_to.Address.GetAddressBytes());
    }

    /// <summary>Null with errno when it cannot be had.</summary>
    public static UdpRawReply? TryOpen(EventLoop loop, DatagramFlow flow, UdpCounters counters, out int error)
    {
        int fd = SocketCalls.Socket(SocketAddressBytes.Family(flow.Destination!), Raw | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, (int)ProtocolType.Udp);
        error = fd < 0 ? Marshal.GetLastSystemError() : Prepare(fd, flow);
        if (error == 0)
        {
            return new UdpRawReply(loop, fd, flow, counters);
        }

        if (fd >= 0)
        {
            Descriptors.Close(fd);
        }

        return null;
    }

    /// <inheritdoc/>
    public override int Send(void* datagram, nint length)
    {
        byte* header = stackalloc byte[HeaderLength];
        Write(new Span<byte>(header, HeaderLength), new ReadOnlySpan<byte>(datagram, (int)length));
        IoVector* parts = stackalloc IoVector[2];
        parts[0] = new IoVector { Base = header, Length = HeaderLength };
        parts[1] = new IoVector { Base = datagram, Length = (nuint)length };
        var message = new MessageHeader { Parts = parts, PartCount = 2 };
        return DatagramCalls.Send(Fd, &message, SocketCalls.DontWait | SocketCalls.NoSignal) < 0 ? Marshal.GetLastSystemError() : 0;
    }

    /// <summary>Nothing ever arrives here.</summary>
    public override bool Receive() => false;

    private static int Prepare(int fd, DatagramFlow flow)
    {
        // Transparent: rules know the proxy's answers by it. The filter is "return 0", for a raw socket gets copies of what others receive.
        ulong nothing = 0x06;
        SocketFilter filter = new() { Length = 1, Instructions = &nothing };
        if (!TransparentSocket.TryEnable(fd, flow.Client.AddressFamily)
            || SocketOptions.SetSockOpt(fd, SocketOptions.SolSocket, AttachFilter, &filter, (uint)sizeof(SocketFilter)) != 0)
        {
            return Marshal.GetLastPInvokeError();
        }

        byte* bytes = stackalloc byte[SocketAddressBytes.Capacity];
        var span = new Span<byte>(bytes, SocketAddressBytes.Capacity);
        bool failed = SocketCalls.Bind(fd, bytes, SocketAddressBytes.Write(new IPEndPoint(flow.Destination!.Address, 0), span)) < 0
            || SocketCalls.Connect(fd, bytes, SocketAddressBytes.Write(new IPEndPoint(flow.Client.Address, 0), span)) < 0;
        return failed ? Marshal.GetLastSystemError() : 0;
    }

    private void Write(Span<byte> header, ReadOnlySpan<byte> payload)
    {
        int length = HeaderLength + payload.Length;
        BinaryPrimitives.WriteUInt16BigEndian(header, (ushort)_from.Port);
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)_to.Port);
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)length);
        BinaryPrimitives.WriteUInt16BigEndian(header[6..], 0);
        // With the pseudo header: addresses, protocol, length. A sum of zero means "none", so that zero is sent as its other form.
        ushort checksum = (ushort)~Fold(_addressSum + (uint)ProtocolType.Udp + (uint)length + Sum(header) + Sum(payload));
        BinaryPrimitives.WriteUInt16BigEndian(header[6..], checksum == 0 ? ushort.MaxValue : checksum);
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (; bytes.Length >= 2; bytes = bytes[2..])
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        }

        return Fold(bytes.Length == 1 ? sum + ((uint)bytes[0] << 8) : sum);
    }

    private static uint Fold(uint sum)
    {
        while (sum >> 16 != 0)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return sum;
    }

    /// <summary>struct sock_fprog (linux/filter.h); an instruction is eight bytes, of which the first two are its code.</summary>
    private struct SocketFilter
    {
        public ushort Length;
        public ulong* Instructions;
    }
}
