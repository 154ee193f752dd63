using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>Sends probes as whoever this process is, and keeps their sockets open so that the kernel does not forget them.</summary>
internal sealed unsafe class ProbeSender : IDisposable
{
    private readonly List<int> _sockets = [];
    private readonly Dictionary<IPEndPoint, int> _datagrams = [];

    /// <summary>Opens a connection, or sends a datagram, without waiting for what comes of it.</summary>
    /// <returns>The local port it was sent from, or a negative errno.</returns>
    public int Send(Transports transport, IPAddress source, IPEndPoint destination)
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        var bytes = new Span<byte>(address, SocketAddressBytes.Capacity);
        bool tcp = transport == Transports.Tcp;
        int fd = SocketCalls.Socket(SocketAddressBytes.Family(destination),
            (tcp ? SocketCalls.Stream : SocketCalls.Datagram) | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        if (fd < 0)
        {
            return -Marshal.GetLastSystemError();
        }

        _sockets.Add(fd);
        if (SocketCalls.Bind(fd, address, SocketAddressBytes.Write(new IPEndPoint(source, 0), bytes)) != 0)
        {
            return -Marshal.GetLastSystemError();
        }

        // Read before connecting: afterwards a TPROXY'd datagram socket may answer otherwise.
        int length = SocketAddressBytes.Capacity;
        int port = SocketCalls.GetSockName(fd, address, &length) == 0 ? SocketAddressBytes.ReadIp(bytes[..length])!.Port : 0;
        length = SocketAddressBytes.Write(destination, bytes);
        byte payload = (byte)'?';
        nint sent = tcp ? SocketCalls.Connect(fd, address, length) : SocketCalls.SendTo(fd, &payload, 1, SocketCalls.NoSignal, address, length);
        int errno = sent < 0 ? Marshal.GetLastSystemError() : 0;
        if (!tcp)
        {
            _datagrams[new IPEndPoint(source, port)] = fd;
        }

        return errno is 0 or Errno.EINPROGRESS ? port : -errno;
    }

    /// <summary>Has the datagram that was sent from <paramref name="source"/> been answered by <paramref name="destination"/>, and by
    /// nobody else? Takes the answer.</summary>
    public bool IsAnswered(IPEndPoint source, IPEndPoint destination)
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        int length = SocketAddressBytes.Capacity;
        byte payload;
        return _datagrams.TryGetValue(source, out int fd)
            && SocketCalls.ReceiveFrom(fd, &payload, 1, SocketCalls.DontWait, address, &length) > 0
            && destination.Equals(SocketAddressBytes.ReadIp(new ReadOnlySpan<byte>(address, length)));
    }

    /// <inheritdoc/>
    public void Dispose() => _sockets.ForEach(fd => Descriptors.Close(fd));

    /// <summary>The other side of <see cref="ProbeChild"/>: becomes <paramref name="identity"/>, answers each line "tcp|udp SOURCE
    /// DESTINATION PORT" with the local port or a negative errno, and ends when there are no more lines.</summary>
    public static int Serve(Identity identity, TextReader input, TextWriter output)
    {
        string? refused = identity == new Identity(Credentials.Uid, Credentials.Gid) ? null : Credentials.Become(identity.Uid, identity.Gid);
        output.Write(refused is null ? "ready\n" : $"{refused}\n");
        output.Flush();
        using var sender = new ProbeSender();
        while (refused is null && input.ReadLine() is string line)
        {
            string[] fields = line.Split(' ');
            var destination = new IPEndPoint(IPAddress.Parse(fields[2]), int.Parse(fields[3], CultureInfo.InvariantCulture));
            int answer = sender.Send(fields[0] == "tcp" ? Transports.Tcp : Transports.Udp, IPAddress.Parse(fields[1]), destination);
            output.Write(string.Create(CultureInfo.InvariantCulture, $"{answer}\n"));
            output.Flush();
        }

        return refused is null ? 0 : 1;
    }
}
