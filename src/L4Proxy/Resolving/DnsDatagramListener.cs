using System.Net;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>Questions over UDP on one loop. Answers from the table leave at once and allocate nothing where one address is bound.</summary>
internal sealed unsafe class DnsDatagramListener : IoHandler
{
    private const int BatchSize = 64;

    private readonly DnsResolver _resolver;
    private readonly DestinationSource _destinations;
    private readonly int _port;
    private readonly Dictionary<DatagramFlow, DnsReplySocket> _replySockets = [];
    private bool _overflowing;

    private DnsDatagramListener(DnsResolver resolver, int fd, ListenerSnapshot listener)
        : base(resolver.Loop, fd)
    {
        _resolver = resolver;
        _destinations = DatagramSocket.SourceFor(listener);
        _port = SocketTuning.LocalEndPoint(fd)?.Port ?? 0;
    }

    public DnsResolver Resolver => _resolver;

    /// <exception cref="IOException">The address cannot be bound.</exception>
    public static DnsDatagramListener Open(DnsResolver resolver, ListenerSnapshot listener, EndPoint address) =>
        new(resolver, ListeningSocket.Open(listener, address, SocketCalls.Datagram), listener);

    public void Start() => Loop.Register(this, Epoll.In);

    public void Close()
    {
        Loop.Unregister(this, closing: true);
        Descriptors.Close(Fd);
        Fd = -1;
        foreach (DnsReplySocket socket in _replySockets.Values.ToArray())
        {
            socket.Close();
        }
    }

    /// <summary>A client of whom the kernel told the destination.</summary>
    public static DatagramClient ClientOf(IPEndPoint address, IPEndPoint? destination)
    {
        DatagramClient client = new() { Address = address, Destination = destination };
        Span<byte> bytes = stackalloc byte[SocketAddressBytes.Capacity];
        client.NameLength = SocketAddressBytes.Write(address, bytes);
        bytes[..SocketName.Length].CopyTo(client.Name);
        return client;
    }

    /// <summary>Answers a message, or begins to ask a server.</summary>
    public void Take(ReadOnlySpan<byte> message, in DatagramClient client)
    {
        DnsDecision decision = _resolver.Decide(message, _resolver.Output, datagram: true, out DnsQuery query, out int length, out bool known);
        if (decision == DnsDecision.Forward && _resolver.Shared.OwnQueries.IsOurs(client.Port, DnsMessage.Id(message)))
        {
            Interlocked.Increment(ref _resolver.Shared.Counters.Loops);
            Status(message, query, DnsMessage.Refused, client);
        }
        else if (decision == DnsDecision.Forward && _resolver.TryWait())
        {
            new DatagramExchange(this, client, message, query, known).Begin();
        }
        else if (decision == DnsDecision.Forward)
        {
            Status(message, query, DnsMessage.ServerFailure, client);
        }
        else if (decision == DnsDecision.Answer)
        {
            Reply(client, _resolver.Output.AsSpan(0, length));
        }
    }

    /// <summary>Sends an answer without records.</summary>
    public void Status(ReadOnlySpan<byte> message, in DnsQuery query, int code, in DatagramClient client, ushort flags = 0)
        => Reply(client, _resolver.Output.AsSpan(0, DnsAnswer.Status(_resolver.Output, message, query, code, flags)));

    /// <summary>Sends an answer from where the client sent its question.</summary>
    public void Reply(in DatagramClient client, ReadOnlySpan<byte> answer)
    {
        if (Fd >= 0 && !TryReply(client, answer))
        {
            Interlocked.Increment(ref _resolver.Shared.Counters.SendErrors);
        }
    }

    internal void Forget(DatagramFlow flow) => _replySockets.Remove(flow);

    internal override void OnEvents(uint events)
    {
        for (int i = 0; i < BatchSize && Fd >= 0; i++)
        {
            DatagramClient client;
            int length = _destinations == DestinationSource.None ? Receive(out client) : ReceiveWithDestination(out client);
            if (length < 0)
            {
                return;
            }

            Take(new ReadOnlySpan<byte>(Loop.Memory.Scratch, length), client);
        }
    }

    private int Receive(out DatagramClient client)
    {
        client = default;
        fixed (byte* name = &client.Name[0])
        {
            int nameLength = SocketName.Length;
            nint length = SocketCalls.ReceiveFrom(Fd, Loop.Memory.Scratch, Loop.Memory.ScratchLength, 0, name, &nameLength);
            client.NameLength = nameLength;
            return (int)length;
        }
    }

    private int ReceiveWithDestination(out DatagramClient client)
    {
        ReceivedDatagram received = DatagramSocket.Receive(
            Fd, Loop.Memory.Scratch, Loop.Memory.ScratchLength, _destinations, _port, ControlMessages.Capacity);
        bool usable = received is { Client: not null, DestinationLost: false } && !IsFromOutside(received.Destination);
        client = usable ? ClientOf(received.Client!, received.Destination) : default;

        // A message of no bytes is dropped as malformed: there is nowhere to answer from.
        return received.Length < 0 ? -1 : usable ? (int)received.Length : 0;
    }

    /// <summary>Captured questions go to a server's port; ours is no server's, for anybody but the pod itself.</summary>
    private bool IsFromOutside(IPEndPoint? destination) =>
        _destinations == DestinationSource.Original && destination!.Port == _port && !IPAddress.IsLoopback(destination.Address);

    private bool TryReply(in DatagramClient client, ReadOnlySpan<byte> answer)
    {
        fixed (byte* bytes = answer)
        {
            if (_destinations == DestinationSource.Original)
            {
                return client.Address is not null && SendFromDestination(new DatagramFlow(client.Address, client.Destination), bytes, answer.Length);
            }

            if (client.Address is { } address)
            {
                return DatagramSocket.SendTo(Fd, address, client.Destination?.Address, bytes, answer.Length) == 0;
            }

            fixed (byte* name = &client.Name[0])
            {
                return SocketCalls.SendTo(Fd, bytes, answer.Length, SocketCalls.NoSignal, name, client.NameLength) == answer.Length;
            }
        }
    }

    private bool SendFromDestination(DatagramFlow flow, byte* bytes, int length)
    {
        if (_replySockets.TryGetValue(flow, out DnsReplySocket? socket))
        {
            return socket.Send(bytes, length);
        }

        socket = DnsReplySocket.Open(this, flow);
        bool sent = socket?.Send(bytes, length) == true;
        if (socket is not null && _replySockets.Count >= DnsReplySocket.Most)
        {
            // What it takes while closing is answered by further such sockets: a client that never stops asking must not nest them for ever.
            bool nested = _overflowing;
            _overflowing = true;
            socket.Close(takeRest: !nested);
            _overflowing = nested;
        }
        else if (socket is not null)
        {
            _replySockets[flow] = socket;
        }

        return sent;
    }
}
