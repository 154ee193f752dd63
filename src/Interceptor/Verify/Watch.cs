using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>Sees where probes arrive: at ports of the pod, or outside it. Evidence is kept by transport and source, for a probe may
/// arrive before its sender has told which port it came from.</summary>
/// <param name="proxy">Who listens on the proxy's ports in its place.</param>
internal sealed class Watch(Identity proxy) : IDisposable
{
    private const uint FirstSequence = 1;

    // Nothing that is acknowledged was ever sent: connection tracking knows no such connection.
    private const byte OfNoConnection = Frame.Syn | Frame.Ack;

    // Looks without news after which nothing more is on its way, should the kernel have spread packets over several processors (RPS), where
    // they overtake each other.
    private const int QuietLooks = 10;

    private readonly Dictionary<(Transports, AddressFamily, int), Landing> _landings = [];
    private readonly Dictionary<ProbeLink, FarEnd> _ends = [];
    private readonly Dictionary<(Transports, IPEndPoint), Evidence> _seen = [];
    private readonly Dictionary<IPEndPoint, Probe> _injected = [];
    private readonly HashSet<IPEndPoint> _answered = [];
    private readonly Readiness _ready = new();
    private int _quiet;

    /// <summary>Looks at the far end of a pair from now on.</summary>
    public void Add(ProbeLink link, FarEnd end)
    {
        _ends.Add(link, end);
        _ready.Add(end.Descriptor);
    }

    /// <summary>The port where <paramref name="probe"/> is to arrive, listened on from now on; null when it is to leave the pod.</summary>
    public Landing? LandingOf(Probe probe)
    {
        if (probe.Landing is not int port)
        {
            return null;
        }

        (Transports, AddressFamily, int) key = (probe.Packet.Transport, probe.Family, port);
        if (!_landings.TryGetValue(key, out Landing? landing))
        {
            landing = Landing.Open(key.Item1, key.Item2, port, probe.Port is null ? null : proxy);
            _landings.Add(key, landing);
            if (landing.Descriptor >= 0)
            {
                _ready.Add(landing.Descriptor);
            }
        }

        return landing;
    }

    /// <summary>Sends the first segment of a connection, a segment of none, or a datagram into the pod. What is to be dropped comes
    /// first: the answers to later ones say that its turn is over.</summary>
    public void Inject(Probe probe, IPEndPoint source)
    {
        _injected.Add(source, probe);
        _ends[probe.Link!].Send(new Frame(probe.Packet.Transport, source, probe.Destination,
            probe.Packet.State == ConnectionState.Invalid ? OfNoConnection : Frame.Syn, FirstSequence, FirstSequence));
    }

    /// <summary>Waits a little for news, and takes in what there is.</summary>
    public void Look(int milliseconds)
    {
        _quiet++;
        _ready.Wait(milliseconds);
        foreach (FarEnd end in _ends.Values)
        {
            while (end.TryRead(out Frame? frame))
            {
                _quiet = 0;
                if (frame is not null)
                {
                    Take(end, frame);
                }
            }
        }

        foreach (Landing landing in _landings.Values)
        {
            foreach ((IPEndPoint from, IPEndPoint? original) in landing.Arrivals())
            {
                _quiet = 0;
                _seen[(landing.Transport, from)] = new Evidence(Fate.Arrived, landing.Port, original);
            }
        }
    }

    /// <summary>What was seen of the probe that was sent from <paramref name="source"/>, or null so far.</summary>
    public Evidence? Of(Probe probe, IPEndPoint source)
    {
        if (_seen.TryGetValue((probe.Packet.Transport, source), out Evidence? evidence) && evidence.Fate != Fate.Refused)
        {
            return evidence;
        }

        if (probe.Dropped && evidence is null)
        {
            return _quiet >= QuietLooks && _answered.Any(a => _injected[a].Link == probe.Link && _injected[a].Family == probe.Family) ? new Evidence(Fate.Dropped) : null;
        }

        // Somebody else listens there: the kernel's own list says where the connection went.
        return LandingOf(probe) is { Taken: true } landing && probe.Packet.Transport == Transports.Tcp
            && ConnectionTable.LocalEndOf(source) is IPEndPoint end
            ? new Evidence(Fate.Arrived, IsTransparent(probe, end) ? landing.Port : end.Port)
            : evidence;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((IPEndPoint source, Probe probe) in _injected.Where(i => i.Value.Packet.Transport == Transports.Tcp))
        {
            _ends[probe.Link!].Send(new Frame(Transports.Tcp, source, probe.Destination, Frame.Reset, FirstSequence + 1));
        }

        foreach (IDisposable each in _landings.Values.Cast<IDisposable>().Concat(_ends.Values))
        {
            each.Dispose();
        }

        _ready.Dispose();
    }

    // A transparent listener's connections have the address that was called, not the listener's. Where nobody listens on the called
    // port itself, only such a listener can have taken it.
    private static bool IsTransparent(Probe probe, IPEndPoint end) =>
        probe.Port is not null && end.Equals(probe.Destination) && !ConnectionTable.IsListenedOn(end.Port);

    private void Take(FarEnd end, Frame frame)
    {
        if (frame.Transport == Transports.Udp || (frame.Flags & (Frame.Syn | Frame.Ack | Frame.Reset)) == Frame.Syn)
        {
            // Repeated segments say nothing new.
            _seen.TryAdd((frame.Transport, frame.Source), new Evidence(Fate.Left, 0, frame.Destination));
            return;
        }

        if (_injected.TryGetValue(frame.Destination, out Probe? answered) && !answered.Dropped)
        {
            _answered.Add(frame.Destination);
        }

        if ((frame.Flags & (Frame.Syn | Frame.Ack)) == (Frame.Syn | Frame.Ack))
        {
            Answer(end, frame);
        }
        else if ((frame.Flags & Frame.Reset) != 0)
        {
            _seen.TryAdd((frame.Transport, frame.Destination), new Evidence(Fate.Refused));
        }
    }

    // The answer to an injected segment. Completed only towards a listener of ours: a running proxy must never see half a client.
    private void Answer(FarEnd end, Frame frame)
    {
        if (!_injected.TryGetValue(frame.Destination, out Probe? probe) || LandingOf(probe) is not { Descriptor: >= 0 })
        {
            return;
        }

        end.Send(new Frame(Transports.Tcp, frame.Destination, frame.Source, Frame.Ack, frame.Acknowledged, frame.Sequence + 1));
    }
}
