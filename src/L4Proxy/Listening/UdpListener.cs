using System.Net;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.Metrics;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>
/// <c>udp_proxy</c> on one loop. The kernel sends all datagrams of a client to the same loop (SO_REUSEPORT hashes the
/// addresses), so a session lives on one loop. Datagrams of 0 to 65,507 bytes pass whole or not at all.
/// </summary>
internal sealed unsafe class UdpListener : IoHandler, ILoopListener
{
    private const int BatchSize = 64;

    private readonly UdpSessionOpening _opening;
    private readonly DestinationSource _destinations;
    private readonly int _port;
    private readonly Dictionary<DatagramFlow, UdpSession> _sessions = [];

    private UdpListener(LoopWorker worker, int fd, ListenerSnapshot listener, UdpServices services)
        : base(worker.Loop, fd)
    {
        _opening = new UdpSessionOpening(this, worker, services);
        _destinations = DatagramSocket.SourceFor(listener);
        _port = SocketTuning.LocalEndPoint(fd)?.Port ?? 0;
        Listener = listener;
    }

    public ListenerSnapshot Listener { get; set; }

    /// <summary>Datagrams in and out, and what was dropped why.</summary>
    public UdpCounters Counters => _opening.Counters;

    /// <summary>Bytes of room for a datagram's control messages; tests make it too small.</summary>
    internal int ControlCapacity { get; set; } = ControlMessages.Capacity;

    /// <exception cref="IOException">The address cannot be bound.</exception>
    public static UdpListener Open(LoopWorker worker, ListenerSnapshot listener, EndPoint address, UdpServices services) =>
        new(worker, ListeningSocket.Open(listener, address, SocketCalls.Datagram), listener, services);

    public void Start() => Loop.Register(this, Epoll.In);

    public void Close()
    {
        foreach (UdpSession session in _sessions.Values.ToArray())
        {
            session.End(ResponseFlags.None, EndedBy.Proxy, "listener_closed");
        }

        Loop.Unregister(this, closing: true);
        Descriptors.Close(Fd);
        Fd = -1;
    }

    /// <summary>Sends an answer to a client from the address it sent to; 0 or errno.</summary>
    public int Reply(DatagramFlow flow, void* datagram, nint length) =>
        DatagramSocket.SendTo(Fd, flow.Client, flow.Destination?.Address, datagram, length);

    internal void Forget(UdpSession session) => _sessions.Remove(session.Flow);

    internal override void OnEvents(uint events)
    {
        byte* datagram = Loop.Memory.Scratch;
        for (int i = 0; i < BatchSize && Fd >= 0; i++)
        {
            ReceivedDatagram received = DatagramSocket.Receive(Fd, datagram, Loop.Memory.ScratchLength, _destinations, _port, ControlCapacity);
            if (received.Length < 0)
            {
                return;
            }

            Take(received, datagram);
        }
    }

    private void Take(in ReceivedDatagram received, void* datagram)
    {
        if (received.DestinationLost || received.Client is null)
        {
            Interlocked.Increment(ref Counters.DestinationUnknown);
        }
        else if (received.Truncated)
        {
            Interlocked.Increment(ref Counters.TooLong);
        }
        else if (Session(new DatagramFlow(received.Client, received.Destination)) is { } session)
        {
            session.Forward(datagram, received.Length);
        }
        else
        {
            Interlocked.Increment(ref Counters.NoSession);
        }
    }

    private UdpSession? Session(DatagramFlow flow)
    {
        if (!_sessions.TryGetValue(flow, out UdpSession? session) && (session = _opening.Open(flow)) is not null)
        {
            _sessions[flow] = session;
        }

        return session;
    }
}
