using System.Net;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>Sends probes as whoever this process is.</summary>
internal sealed unsafe class ProbeSender : IProbeSender
{
    private readonly Dictionary<(Transports, IPEndPoint), Sent> _sent = [];

    /// <inheritdoc/>
    public int Send(Transports transport, IPEndPoint source, IPEndPoint destination)
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        var bytes = new Span<byte>(address, SocketAddressBytes.Capacity);
        bool tcp = transport == Transports.Tcp;
        int fd = SocketCalls.Socket(SocketAddressBytes.Family(destination),
            (tcp ? SocketCalls.Stream : SocketCalls.Datagram) | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        if (fd < 0)
        {
            return Marshal.GetLastSystemError();
        }

        if (SocketCalls.Bind(fd, address, SocketAddressBytes.Write(source, bytes)) != 0)
        {
            int refused = Marshal.GetLastSystemError();
            _ = Descriptors.Close(fd);
            return refused;
        }

        _sent[(transport, source)] = new Sent(fd, destination);
        int length = SocketAddressBytes.Write(destination, bytes);
        byte payload = (byte)'?';
        nint sent = tcp ? SocketCalls.Connect(fd, address, length) : SocketCalls.SendTo(fd, &payload, 1, SocketCalls.NoSignal, address, length);
        int errno = sent < 0 ? Marshal.GetLastSystemError() : 0;
        return errno == Errno.EINPROGRESS ? 0 : errno;
    }

    /// <inheritdoc/>
    public SocketNews NewsOf(Transports transport, IPEndPoint source)
    {
        if (!_sent.TryGetValue((transport, source), out Sent? sent))
        {
            return SocketNews.None;
        }

        if (sent.News == SocketNews.None)
        {
            // An error is told once only, and an answer is there once only.
            sent.News = transport == Transports.Tcp ? EndOf(sent.Descriptor) : IsAnswered(sent) ? SocketNews.Answered : SocketNews.None;
        }

        return sent.News;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Sent sent in _sent.Values)
        {
            _ = Descriptors.Close(sent.Descriptor);
        }

        _sent.Clear();
    }

    private static SocketNews EndOf(int fd) => SocketOptions.TryGetInt(fd, SocketOptions.SolSocket, SocketOptions.SoError, out int errno)
        ? errno == Errno.EPIPE ? SocketNews.Reset : new SocketNews(errno)
        : SocketNews.None;

    // Anybody can send to the socket: only what comes as from the destination is an answer, and it need not come first.
    private static bool IsAnswered(Sent sent)
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        byte payload;
        int length = SocketAddressBytes.Capacity;
        while (SocketCalls.ReceiveFrom(sent.Descriptor, &payload, 1, SocketCalls.DontWait, address, &length) >= 0)
        {
            if (sent.Destination.Equals(SocketAddressBytes.ReadIp(new ReadOnlySpan<byte>(address, length))))
            {
                return true;
            }

            length = SocketAddressBytes.Capacity;
        }

        return false;
    }

    private sealed record Sent(int Descriptor, IPEndPoint Destination)
    {
        public SocketNews News { get; set; }
    }
}
