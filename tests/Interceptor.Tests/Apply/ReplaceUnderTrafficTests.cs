using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Capture;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Apply;

/// <summary>New connections, as many as there is time for, in both directions and both families, while the rules of one mode are replaced by
/// those of another and back: not one may get past the proxy or be lost, and with nft, which replaces both families in one transaction, none
/// needs a second SYN but for the few that <see cref="Caught"/> counts.</summary>
/// <remarks>Not tried here: a source port that is used again within the ten seconds that the kernel keeps a closed connection. From
/// transparent mode back to translation such a connection can pass the proxy by (docs/interception.md, "Replacing rules").</remarks>
public class ReplaceUnderTrafficTests
{
    private const int Replaces = 50;
    private const int Ways = 4;

    // A machine so busy that the queues of its processors overflow loses SYNs whatever the rules are, and one that stands still sends them
    // again though none was lost: such a run shows nothing. Rules with a gap catch many clients in every run.
    private const int Runs = 5;
    private const int Port = 7001;

    // A queue that is full drops connections too, and that would not be the rules' doing.
    private const int Backlog = 4096;
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(30);

    // A SYN is sent again when it has no answer after a second, of which it and the answer may each be held up for a half.
    private static readonly TimeSpan StoodStill = TimeSpan.FromSeconds(0.5);

    [Theory]
    [InlineData("TPROXY", null)]
    [InlineData("TRANSPARENT", null)]
    [InlineData("TPROXY", "nft")]
    [InlineData("TPROXY", "legacy")]
    public void Replace_OfModes_NoConnectionPassesUnredirected(string mode, string? iptables)
    {
        (Tally[] ways, long dropped, TimeSpan still) = Run(mode, iptables);

        // Between the tables of iptables a packet meets the rules of one mode and then those of the other: its SYN may have to come again.
        for (int run = 1; iptables is null && Repeated(ways) > Caught(mode); run++)
        {
            string seen = $"{string.Join(", ", ways.AsEnumerable())}; {dropped} packets dropped by full queues of the processors, {still} without a turn, in run {run}";
            (dropped > 0 || still >= StoodStill).ShouldBeTrue(seen);
            run.ShouldBeLessThan(Runs, seen);
            (ways, dropped, still) = Run(mode, iptables);
        }
    }

    // A change to rules without translation takes translation out of the namespace. A handshake whose SYN was translated and whose SYN-ACK
    // is not yet begins anew with its next SYN. The two are microseconds apart and connections hundreds: of a client at a change, that is a few in a
    // hundred, and there are a hundred. A gap would catch every client at every change.
    private static int Caught(string mode) => mode == "TRANSPARENT" ? 2 * Ways : 0;

    // One whose last ACK is not translated ends there: its client has a connection that nobody accepted. A client is in one handshake at a time.
    private static int Unaccepted(string mode) => mode == "TRANSPARENT" ? Ways * Replaces / 2 : 0;

    private static long Repeated(Tally[] ways) => ways.Sum(w => w.Repeated);

    private static (Tally[] Ways, long Dropped, TimeSpan Still) Run(string mode, string? iptables)
    {
        using var pod = new Pod();
        (string, string)[] flags = [("istio-inbound-ports", "*"), ("istio-service-cidr", "*"), .. iptables is null ? [] : new[] { ("force-iptables-binary", iptables) }];

        // The first rule of policy routing in a namespace parts the kernel's local routes from the main table, and for a moment an IPv4
        // lookup finds neither (docs/interception.md, "Replacing rules"): that moment is over before the traffic begins.
        pod.Apply([.. flags, ("istio-inbound-interception-mode", mode)]);
        pod.Apply(flags);
        using var direct = new Acceptors(Pod.Listen(pod.Name, Port), Pod.Listen(pod.Outside, Port));
        using var captured = new Acceptors(Transparent(pod, 15001), Transparent(pod, 15006));
        using var ended = new CancellationTokenSource();
        var ways = new Tally[Ways];
        long overflowed = Overflowed();
        using var turns = new Turns();
        Thread[] clients =
        [
            .. new[] { (pod.Outside, Pod.Ip), (pod.Outside, Pod.Ip6), (pod.Name, Pod.OutsideIp), (pod.Name, Pod.OutsideIp6) }
                .Select((way, i) => Started(() => Pod.In(way.Item1, () => ways[i] = ConnectUntil(way.Item2, ended.Token)))),
        ];
        for (int i = 0; i < Replaces; i++)
        {
            pod.Apply([.. flags, ("istio-inbound-interception-mode", i % 2 == 0 ? mode : "REDIRECT")]).Written.ShouldBeTrue();
        }

        ended.Cancel();
        Array.ForEach(clients, c => c.Join());
        TimeSpan still = turns.Stop();
        string seen = string.Join(", ", ways);
        direct.Stop().ShouldBe(0, $"passed the proxy by; {seen}");
        ways.ShouldAllBe(w => w.Connected >= Replaces, "too little traffic to show anything");
        int accepted = captured.Stop();
        ways.ShouldAllBe(w => w.Lost == 0, seen);
        if (iptables is null)
        {
            accepted.ShouldBeInRange(ways.Sum(w => w.Connected) - Unaccepted(mode), ways.Sum(w => w.Connected), seen);
        }

        return (ways, Overflowed() - overflowed, still);
    }

    private static Socket Transparent(Pod pod, int port)
    {
        Socket socket = Pod.Listen(pod.Name, port);
        TransparentSocket.Enable((int)socket.Handle, AddressFamily.InterNetworkV6);
        return socket;
    }

    private static Tally ConnectUntil(string address, CancellationToken ended)
    {
        var tally = new Tally();
        var to = new IPEndPoint(IPAddress.Parse(address), Port);
        IPAddress any = to.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;

        // Never the same port twice: the kernel remembers what it decided for a connection, and rules are not asked again.
        for (int port = 10000; port < 65000 && !ended.IsCancellationRequested; port++)
        {
            if (port is 15001 or 15006)
            {
                continue;
            }

            // Ends with a reset: ports must not run out.
            using var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { LingerState = new LingerOption(true, 0), Blocking = false };
            socket.Bind(new IPEndPoint(any, port));
            tally.Add(Open(socket, to), Retransmissions(socket));

            // Ports have to last until the last replace.
            Thread.Sleep(TimeSpan.FromMicroseconds(100));
        }

        return tally;
    }

    // Open, or opened and reset by who accepted it. A refusal is none of both: it comes before.
    private static bool Open(Socket socket, IPEndPoint to)
    {
        try
        {
            socket.Connect(to);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.WouldBlock)
        {
            return socket.Poll(ConnectLimit, SelectMode.SelectWrite)
                && (SocketError)(int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)! is SocketError.Success or SocketError.ConnectionReset;
        }
        catch (SocketException)
        {
            return false;
        }

        return true;
    }

    // The kernel's own count, which a busy machine does not change: a lost SYN is sent again after a second.
    private static uint Retransmissions(Socket socket)
    {
        const int Tcp = 6, TcpInfo = 11, TotalRetransmissions = 100;
        byte[] information = new byte[TotalRetransmissions + sizeof(uint)];
        socket.GetRawSocketOption(Tcp, TcpInfo, information).ShouldBe(information.Length);
        return BitConverter.ToUInt32(information, TotalRetransmissions);
    }

    // Packets of the whole machine that found the queue of their processor full.
    private static long Overflowed() => File.ReadLines("/proc/net/softnet_stat").Sum(l => Convert.ToInt64(l.Split(' ')[1], 16));

    /// <summary>What became of one client's connections.</summary>
    private sealed class Tally
    {
        public int Connected { get; private set; }

        public int Lost { get; private set; }

        public int Repeated { get; private set; }

        public void Add(bool connected, uint retransmissions)
        {
            Connected += connected ? 1 : 0;
            Lost += connected ? 0 : 1;
            Repeated += retransmissions > 0 ? 1 : 0;
        }

        public override string ToString() => $"{Connected} connected, {Lost} lost, {Repeated} after a repeated SYN";
    }

    private static Thread Started(ThreadStart body)
    {
        var thread = new Thread(body);
        thread.Start();
        return thread;
    }

    // How long threads that wish to run every 10 ms waited for a turn at most. They are more than the processors: each can stand still alone.
    private sealed class Turns : IDisposable
    {
        private readonly TimeSpan[] _longest = new TimeSpan[2 * Environment.ProcessorCount];
        private readonly Thread[] _threads;
        private volatile bool _stopping;

        public Turns() => _threads = [.. _longest.Select((_, i) => Started(() => Take(ref _longest[i])))];

        public TimeSpan Stop()
        {
            Dispose();
            return _longest.Max();
        }

        public void Dispose()
        {
            _stopping = true;
            Array.ForEach(_threads, t => t.Join());
        }

        private void Take(ref TimeSpan longest)
        {
            for (long before = Stopwatch.GetTimestamp(), now; !_stopping; before = now)
            {
                Thread.Sleep(10);
                now = Stopwatch.GetTimestamp();
                TimeSpan gap = Stopwatch.GetElapsedTime(before, now);
                longest = gap > longest ? gap : longest;
            }
        }
    }

    // Accepts, counts and resets what comes to some listeners.
    private sealed class Acceptors : IDisposable
    {
        private readonly Socket[] _listeners;
        private readonly Thread[] _threads;
        private volatile bool _stopping;
        private int _accepted;

        public Acceptors(params Socket[] listeners)
        {
            _listeners = listeners;
            Array.ForEach(listeners, l => l.Listen(Backlog));
            _threads = [.. listeners.Select(l => Started(() => Accept(l)))];
        }

        public int Stop()
        {
            _stopping = true;
            Array.ForEach(_threads, t => t.Join());
            return _accepted;
        }

        public void Dispose()
        {
            Stop();
            Array.ForEach(_listeners, l => l.Dispose());
        }

        // What waits is counted before it ends.
        private void Accept(Socket listener)
        {
            bool waits;
            while ((waits = listener.Poll(TimeSpan.FromMilliseconds(50), SelectMode.SelectRead)) || !_stopping)
            {
                if (waits)
                {
                    using Socket accepted = listener.Accept();
                    accepted.LingerState = new LingerOption(true, 0);
                    Interlocked.Increment(ref _accepted);
                }
            }
        }
    }
}
