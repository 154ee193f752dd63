using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>A port of the pod where probes are to arrive, listened on by us unless somebody does already.</summary>
internal sealed class Landing : IDisposable
{
    private const int Backlog = 512;
    private readonly List<Socket> _accepted = [];
    private readonly Socket? _socket;

    private Landing(Transports transport, int port, Socket? socket, string? obstacle)
    {
        Transport = transport;
        Port = port;
        _socket = socket;
        Obstacle = obstacle;
    }

    /// <summary>TCP or UDP.</summary>
    public Transports Transport { get; }

    /// <summary>The port.</summary>
    public int Port { get; }

    /// <summary>Why we do not listen, or null when we do.</summary>
    public string? Obstacle { get; }

    /// <summary>Does another process listen there?</summary>
    public bool Taken { get; private init; }

    /// <summary>The listening socket's descriptor; -1 without one.</summary>
    public int Descriptor => _socket is null ? -1 : (int)_socket.Handle;

    /// <summary>Is the listener the proxy's in the kernel's eyes? Rules may ask whose a packet is that answers.</summary>
    public bool IsProxys { get; private init; }

    /// <summary>Listens on every address of <paramref name="family"/>.</summary>
    /// <param name="transport">TCP or UDP.</param>
    /// <param name="family">IPv4 or IPv6, never both at once.</param>
    /// <param name="port">The port.</param>
    /// <param name="proxy">Whose listener it is to be; null for ours.</param>
    public static Landing Open(Transports transport, AddressFamily family, int port, Identity? proxy)
    {
        Socket? socket = null;
        try
        {
            bool tcp = transport == Transports.Tcp;
            bool isProxys = TryOpen(proxy, () => new Socket(family, tcp ? SocketType.Stream : SocketType.Dgram, tcp ? ProtocolType.Tcp : ProtocolType.Udp), out socket);
            MakeTransparent(socket, family);
            bool v6 = family == AddressFamily.InterNetworkV6;
            if (v6)
            {
                socket.DualMode = false;
            }

            socket.Bind(new IPEndPoint(v6 ? IPAddress.IPv6Any : IPAddress.Any, port));
            if (tcp)
            {
                socket.Listen(Backlog);
            }
            else
            {
                DatagramLocalAddress.Enable((int)socket.Handle, family);
            }

            socket.Blocking = false;
            return new Landing(transport, port, socket, null) { IsProxys = isProxys };
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            bool taken = e.SocketErrorCode == SocketError.AddressAlreadyInUse;
            string why = taken ? $"port {port} is in use by a running process" : $"cannot listen on port {port}: {e.Message}";
            return new Landing(transport, port, null, why) { Taken = taken };
        }
    }

    /// <summary>What has arrived: where it came from, and where it was going when the kernel knows.</summary>
    public IEnumerable<(IPEndPoint From, IPEndPoint? Original)> Arrivals()
    {
        while (_socket is not null && _socket.Poll(0, SelectMode.SelectRead))
        {
            if ((Transport == Transports.Tcp ? Accept(_socket) : Receive(_socket)) is { } arrival)
            {
                yield return arrival;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Socket socket in _accepted)
        {
            // A reset: the peer of an injected connection does not exist, and nothing may be sent to it for minutes.
            socket.LingerState = new LingerOption(true, 0);
            socket.Dispose();
        }

        _socket?.Dispose();
    }

    private static bool TryOpen(Identity? proxy, Func<Socket> open, out Socket socket)
    {
        bool taken = proxy is Identity identity && TryTake(identity);
        try
        {
            socket = open();
        }
        finally
        {
            // Also when only one of the two ids could be taken.
            _ = TryTake(new Identity(Credentials.Uid, Credentials.Gid));
        }

        return taken;
    }

    private static bool TryTake(Identity identity)
    {
        try
        {
            FileSystemIds.Set(identity.Uid, identity.Gid);
            return true;
        }
        catch (InvalidOperationException)
        {
            // Without the capability the listener is ours: enough where rules do not ask.
            return false;
        }
    }

    // For TPROXY rules; under other rules it changes nothing, and without the capability those rules show as broken.
    private static void MakeTransparent(Socket socket, AddressFamily family)
    {
        try
        {
            TransparentSocket.Enable((int)socket.Handle, family);
        }
        catch (InvalidOperationException)
        {
        }
    }

    private static (IPEndPoint From, IPEndPoint? Original)? Receive(Socket socket) =>
        DatagramLanding.Answer((int)socket.Handle) is IPEndPoint from ? (from, null) : null;

    private (IPEndPoint From, IPEndPoint? Original)? Accept(Socket socket)
    {
        try
        {
            Socket accepted = socket.Accept();
            _accepted.Add(accepted);
            var from = (IPEndPoint)accepted.RemoteEndPoint!;
            bool known = OriginalDestination.TryGet((int)accepted.Handle, from.Address, out IPEndPoint original);
            return (from, known ? original : (IPEndPoint)accepted.LocalEndPoint!);
        }
        catch (SocketException)
        {
            // The peer gave up in between: not one of ours.
            return null;
        }
    }
}
