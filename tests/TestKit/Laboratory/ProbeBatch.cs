using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Plan;
using MeshL4.TestKit.Networks;

namespace MeshL4.TestKit.Laboratory;

/// <summary>Probes that are under way at the same time. Runs on one thread, which it leaves in any namespace.</summary>
internal sealed unsafe class ProbeBatch : IDisposable
{
    /// <summary>The most probes of one batch: as many sockets, and as many packets in the kernel's queues.</summary>
    public const int Most = 256;

    private const int SoError = 4;
    private const int SoLinger = 13;
    private const int EventsAtOnce = 64;
    private const int ControlCapacity = 256;

    // Only ever waited for in full by packets that nobody answers, longer than the kernel's first retransmission.
    private const int QuietMilliseconds = 3000;

    // Of a neighbour's silence is a verdict that many rule sets give. All it needs to be heard runs in the softirqs of this thread's own
    // calls, and the laboratory asks twice.
    private const int NeighbourQuietMilliseconds = 500;

    private readonly IReadOnlyList<Probe> _probes;
    private readonly IReadOnlyList<LandingSite> _sites;
    private readonly Func<Origin, string> _namespaceOf;
    private readonly Func<int> _nextSourcePort;
    private readonly int[] _sockets;
    private readonly Verdict?[] _verdicts;
    private readonly bool[] _answered;
    private readonly Dictionary<int, int> _bySourcePort = [];
    private readonly List<(LandingSite Site, IPEndPoint From, IPEndPoint To)> _toAnswer = [];
    private readonly int _epoll = Epoll.Create(Epoll.CloseOnExec);
    private string? _here;

    /// <summary>Prepares a batch.</summary>
    /// <param name="probes">At most <see cref="Most"/>.</param>
    /// <param name="sites">Where they may come out.</param>
    /// <param name="namespaceOf">Name of the namespace of an origin.</param>
    /// <param name="nextSourcePort">A source port that no probe had yet.</param>
    public ProbeBatch(IReadOnlyList<Probe> probes, IReadOnlyList<LandingSite> sites, Func<Origin, string> namespaceOf, Func<int> nextSourcePort)
    {
        _probes = probes;
        _sites = sites;
        _namespaceOf = namespaceOf;
        _nextSourcePort = nextSourcePort;
        _sockets = new int[probes.Count];
        _verdicts = new Verdict?[probes.Count];
        _answered = new bool[probes.Count];
        Array.Fill(_sockets, -1);
    }

    /// <summary>Sends all, waits until each came out, was refused, or nothing happened for a while.</summary>
    public IReadOnlyList<Landing> Run()
    {
        for (int i = 0; i < _sites.Count; i++)
        {
            Watch((int)_sites[i].Socket.Handle, Epoll.In, i);
        }

        for (int i = 0; i < _probes.Count; i++)
        {
            Start(i);
        }

        Await(i => _verdicts[i] is null);
        Answer();
        Await(i => !_answered[i] && _verdicts[i] < Verdict.Refused);
        return [.. _verdicts.Select((v, i) => new Landing(v ?? Verdict.Lost, _answered[i]))];
    }

    public void Dispose()
    {
        foreach (int fd in _sockets.Where(fd => fd >= 0))
        {
            _ = Descriptors.Close(fd);
        }

        _ = Descriptors.Close(_epoll);
    }

    private void Start(int index)
    {
        Probe probe = _probes[index];
        bool tcp = probe.Transport == Transports.Tcp;
        Enter(_namespaceOf(probe.From));
        FileSystemIds.Set(probe.Uid, probe.Gid);
        int fd = _sockets[index] = SocketCalls.Socket(SocketAddressBytes.Family(new IPEndPoint(probe.Destination, 0)),
            (tcp ? SocketCalls.Stream : SocketCalls.Datagram) | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        FileSystemIds.Set(0, 0);
        int port = _nextSourcePort();
        _bySourcePort[port] = index;
        IPAddress any = probe.Destination.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;
        Check(Call(new IPEndPoint(probe.Source ?? any, port), (address, length) => SocketCalls.Bind(fd, address, length)), probe);
        if (tcp)
        {
            // Closed by reset: no source port stays behind in TIME_WAIT.
            long lingerOnForZeroSeconds = 1;
            Check(SocketOptions.SetSockOpt(fd, SocketOptions.SolSocket, SoLinger, &lingerOnForZeroSeconds, sizeof(long)), probe);
        }

        Watch(fd, tcp ? 0 : Epoll.In, _sites.Count + index);
        bool sent = Call(new IPEndPoint(probe.Destination, probe.Port), (address, length) => SocketCalls.Connect(fd, address, length)) == 0;
        if (!tcp && sent)
        {
            byte question = (byte)'?';
            sent = SocketCalls.Send(fd, &question, 1, 0) == 1;
        }

        int errno = sent ? 0 : Marshal.GetLastSystemError();
        if (errno is not (0 or Errno.EINPROGRESS))
        {
            Fail(index, errno);
        }
    }

    private void Await(Func<int, bool> isUnderWay)
    {
        EpollEvent* events = stackalloc EpollEvent[EventsAtOnce];
        while (Enumerable.Range(0, _probes.Count).Where(isUnderWay).Select(i => _probes[i].From).Distinct().ToArray() is { Length: > 0 } origins)
        {
            int count = Epoll.Wait(_epoll, events, EventsAtOnce, origins is [Origin.Neighbour] ? NeighbourQuietMilliseconds : QuietMilliseconds);
            if (count == 0)
            {
                return;
            }

            for (int i = 0; i < count; i++)
            {
                int number = (int)events[i].DataLow;
                if (number >= _sites.Count)
                {
                    Hear(number - _sites.Count);
                }
                else if (_sites[number].Socket.SocketType == SocketType.Stream)
                {
                    Accept(_sites[number]);
                }
                else
                {
                    Receive(_sites[number]);
                }
            }
        }
    }

    private void Accept(LandingSite site)
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        int length = SocketAddressBytes.Capacity;
        int fd;
        while ((fd = SocketCalls.Accept((int)site.Socket.Handle, address, &length, SocketCalls.CloseOnExec)) >= 0)
        {
            IPEndPoint peer = SocketAddressBytes.ReadIp(new(address, length))!;
            length = SocketAddressBytes.Capacity;
            _ = SocketCalls.GetSockName(fd, address, &length);
            IPEndPoint local = SocketAddressBytes.ReadIp(new(address, length))!;
            IPEndPoint recovered = site.Capture is not null && OriginalDestination.TryGet(fd, peer.Address, out IPEndPoint original) ? original : local;
            if (_bySourcePort.TryGetValue(peer.Port, out int index))
            {
                Land(index, site, recovered);
                _answered[index] = true;
            }

            _ = Descriptors.Close(fd);
            length = SocketAddressBytes.Capacity;
        }
    }

    private void Receive(LandingSite site)
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        byte* control = stackalloc byte[ControlCapacity];
        byte question;
        var part = new IoVector { Base = &question, Length = 1 };
        while (true)
        {
            var message = new MessageHeader
            {
                Name = address, NameLength = SocketAddressBytes.Capacity, Parts = &part, PartCount = 1, Control = control, ControlLength = ControlCapacity,
            };
            if (DatagramCalls.Receive((int)site.Socket.Handle, &message, 0) < 0)
            {
                return;
            }

            IPEndPoint peer = SocketAddressBytes.ReadIp(new(address, (int)message.NameLength))!;
            IPEndPoint destination = DatagramOriginalDestination.Read(new(control, (int)message.ControlLength))!;
            if (_bySourcePort.TryGetValue(peer.Port, out int index))
            {
                // DNS answers whoever asks: it alone does not need to know where the datagram was going.
                Land(index, site, site.Capture == Verdict.Dns ? new IPEndPoint(_probes[index].Destination, _probes[index].Port) : destination);
                _toAnswer.Add((site, destination, peer));
            }
        }
    }

    // Only when no datagram is under way any more: the socket of an answer would take those that are for its address.
    private void Answer()
    {
        foreach ((LandingSite site, IPEndPoint from, IPEndPoint to) in _toAnswer)
        {
            Enter(site.Namespace);
            LandingSites.Answer(from, to, site.Owner);
        }
    }

    private void Hear(int index)
    {
        byte answer;
        if (_probes[index].Transport == Transports.Udp && SocketCalls.Receive(_sockets[index], &answer, 1, 0) == 1)
        {
            _answered[index] = true;
            return;
        }

        int errno = Marshal.GetLastSystemError();
        if (_probes[index].Transport == Transports.Tcp)
        {
            SocketOptions.TryGetInt(_sockets[index], SocketOptions.SolSocket, SoError, out errno);
        }

        Fail(index, errno);
    }

    private void Land(int index, LandingSite site, IPEndPoint recovered)
    {
        var sent = new IPEndPoint(_probes[index].Destination, _probes[index].Port);
        _verdicts[index] = sent.Equals(recovered) ? site.Capture ?? Verdict.LeftAlone : Verdict.Astray;
    }

    // What has come out already cannot be refused any more: the errors of its closing mean nothing.
    private void Fail(int index, int errno)
    {
        _verdicts[index] ??= errno == Errno.ECONNREFUSED ? Verdict.Refused : Verdict.Lost;
        _ = Descriptors.Close(_sockets[index]);
        _sockets[index] = -1;
    }

    private void Enter(string ns)
    {
        if (_here != ns)
        {
            NetworkNamespace.Enter(ns);
            _here = ns;
        }
    }

    private void Watch(int fd, uint events, int number)
    {
        var watched = new EpollEvent { Events = events, DataLow = (uint)number };
        if (Epoll.Control(_epoll, Epoll.ControlAdd, fd, &watched) != 0)
        {
            throw new InvalidOperationException($"epoll_ctl: {Errno.Message(Marshal.GetLastSystemError())}");
        }
    }

    private delegate int AddressCall(byte* address, int length);

    private static int Call(IPEndPoint endPoint, AddressCall call)
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        int length = SocketAddressBytes.Write(endPoint, new Span<byte>(address, SocketAddressBytes.Capacity));
        return call(address, length);
    }

    private static void Check(int result, Probe probe)
    {
        if (result != 0)
        {
            throw new InvalidOperationException($"{probe}: {Errno.Message(Marshal.GetLastSystemError())}");
        }
    }
}
