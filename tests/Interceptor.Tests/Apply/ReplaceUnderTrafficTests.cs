using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Capture;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Apply;

/// <summary>New connections, as many as there is time for, in both directions and both families, while the rules of one mode are replaced by
/// those of another and back: not one may get past the proxy.</summary>
public class ReplaceUnderTrafficTests
{
    private const int Replaces = 50;
    private const int Port = 7001;

    [Theory]
    [InlineData("TPROXY", null)]
    [InlineData("TRANSPARENT", null)]
    [InlineData("TPROXY", "nft")]
    [InlineData("TPROXY", "legacy")]
    public void Replace_OfModes_NoConnectionPassesUnredirected(string mode, string? iptables)
    {
        using var pod = new Pod();
        (string, string)[] flags = [("istio-inbound-ports", "*"), ("istio-service-cidr", "*"), .. iptables is null ? [] : new[] { ("force-iptables-binary", iptables) }];
        pod.Apply(flags);
        using var direct = new Acceptors(Pod.Listen(pod.Name, Port), Pod.Listen(pod.Outside, Port));
        using var captured = new Acceptors(Transparent(pod, 15001), Transparent(pod, 15006));
        using var ended = new CancellationTokenSource();
        int[] connected = new int[4];
        Thread[] clients =
        [
            .. new[] { (pod.Outside, Pod.Ip), (pod.Outside, Pod.Ip6), (pod.Name, Pod.OutsideIp), (pod.Name, Pod.OutsideIp6) }
                .Select((way, i) => Started(() => Pod.In(way.Item1, () => connected[i] = ConnectUntil(way.Item2, ended.Token)))),
        ];
        for (int i = 0; i < Replaces; i++)
        {
            pod.Apply([.. flags, ("istio-inbound-interception-mode", i % 2 == 0 ? mode : "REDIRECT")]).Written.ShouldBeTrue();
        }

        ended.Cancel();
        Array.ForEach(clients, c => c.Join());
        direct.Stop().ShouldBe(0, $"passed the proxy by; {string.Join(", ", connected)} connections were made");
        connected.ShouldAllBe(n => n >= Replaces, "too little traffic to show anything");
        captured.Stop().ShouldBeGreaterThanOrEqualTo(connected.Sum() / 2);
    }

    private static Socket Transparent(Pod pod, int port)
    {
        Socket socket = Pod.Listen(pod.Name, port);
        TransparentSocket.Enable((int)socket.Handle, AddressFamily.InterNetworkV6);
        return socket;
    }

    private static int ConnectUntil(string address, CancellationToken ended)
    {
        int connected = 0;
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
            try
            {
                socket.Connect(to);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.WouldBlock)
            {
                // The kernel repeats a lost SYN after a second: a new connection shows more.
                connected += socket.Poll(TimeSpan.FromMilliseconds(100), SelectMode.SelectWrite) ? 1 : 0;
            }
        }

        return connected;
    }

    private static Thread Started(ThreadStart body)
    {
        var thread = new Thread(body);
        thread.Start();
        return thread;
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
