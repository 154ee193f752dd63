using System.Net;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>
/// A question on its way to one server: a socket of its own, whose port the kernel chose by chance, connected, so that nobody else's
/// datagrams come in, and an id by chance (RFC 5452).
/// </summary>
internal sealed unsafe class DatagramTry : IoHandler
{
    private const int MostDatagrams = 8;

    private readonly DatagramExchange _exchange;
    private readonly int _port;

    private DatagramTry(DatagramExchange exchange, int fd, ushort id)
        : base(exchange.Resolver.Loop, fd)
    {
        _exchange = exchange;
        _port = SocketTuning.LocalEndPoint(fd)?.Port ?? 0;
        Id = id;
        exchange.Resolver.Shared.OwnQueries.Sent(_port, id);
    }

    /// <summary>The id it was sent under.</summary>
    public ushort Id { get; }

    /// <summary>Sends the question; null when that cannot be.</summary>
    public static DatagramTry? Open(DatagramExchange exchange, IPEndPoint server)
    {
        int fd = DescriptorReserve.OpenSocket(SocketAddressBytes.Family(server), SocketCalls.Datagram, out _);
        if (fd < 0)
        {
            return null;
        }

        byte* name = stackalloc byte[SocketAddressBytes.Capacity];
        int nameLength = SocketAddressBytes.Write(server, new Span<byte>(name, SocketAddressBytes.Capacity));
        if (SocketCalls.Connect(fd, name, nameLength) < 0)
        {
            Descriptors.Close(fd);
            return null;
        }

        var begun = new DatagramTry(exchange, fd, exchange.Resolver.NextId());
        ReadOnlySpan<byte> message = exchange.Under(begun.Id);
        fixed (byte* bytes = message)
        {
            if (begun.Loop.TryRegister(begun, Epoll.In) == 0 && SocketCalls.Send(fd, bytes, message.Length, SocketCalls.NoSignal) == message.Length)
            {
                return begun;
            }
        }

        begun.Close();
        return null;
    }

    public void Close()
    {
        if (Fd < 0)
        {
            return;
        }

        _exchange.Resolver.Shared.OwnQueries.Over(_port, Id);
        Loop.Unregister(this, closing: true);
        Descriptors.Close(Fd);
        Fd = -1;
    }

    internal override void OnEvents(uint events)
    {
        for (int i = 0; i < MostDatagrams && Fd >= 0; i++)
        {
            nint length = SocketCalls.Receive(Fd, Loop.Memory.Scratch, Loop.Memory.ScratchLength, 0);
            if (length >= 0)
            {
                _exchange.Received(this, new Span<byte>(Loop.Memory.Scratch, (int)length));
            }
            else if (System.Runtime.InteropServices.Marshal.GetLastSystemError() == Errno.EAGAIN)
            {
                return;
            }
            else
            {
                // ICMP: nobody listens there.
                _exchange.Failed(this);
            }
        }
    }
}
