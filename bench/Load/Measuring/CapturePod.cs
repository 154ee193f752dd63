using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Load.Measuring;

/// <summary>
/// A network namespace of the harness that stands for a pod: addresses for many clients, a default route, and where the
/// outbound listener of a proxy would be, a socket that accepts and closes. What is measured is capture and nothing else.
/// </summary>
internal sealed class CapturePod : IAsyncDisposable
{
    private const int CapturePort = 15001;
    private const int DestinationPort = 80;
    private const int ClientThreads = 4;
    private static readonly IPAddress[] OwnAddresses = Addresses(10, 77);
    private static readonly IPAddress[] Destinations = Addresses(10, 99);
    private static readonly TimeSpan ToolLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan AcceptorLimit = TimeSpan.FromSeconds(5);

    // Kept from one slice to the next, so that addresses come round in turn.
    private readonly long[] _turns = new long[ClientThreads];
    private readonly Socket? _listener;
    private readonly Thread? _acceptor;
    private volatile Exception? _acceptorEnd;

    private CapturePod(string name, Socket? listener)
    {
        Name = name;
        _listener = listener;
        if (listener is not null)
        {
            _acceptor = new Thread(() => Accept(listener)) { IsBackground = true };
            _acceptor.Start();
        }
    }

    public string Name { get; }

    /// <summary>Connections that came to the capture port.</summary>
    public long Captured { get; private set; }

    /// <summary>Its own addresses.</summary>
    public IReadOnlyList<IPAddress> Sources => OwnAddresses;

    /// <summary>Puts the calling thread into the namespace.</summary>
    public void Enter() => Namespaces.EnterNetwork(PathOf(Name));

    /// <summary>Makes the namespace.</summary>
    /// <param name="stop">Ends the making.</param>
    /// <param name="accept">Whether to accept on the capture port; false leaves it to a proxy.</param>
    /// <exception cref="VoidRunException">It cannot be made: most often for want of root.</exception>
    public static async Task<CapturePod> CreateAsync(CancellationToken stop, bool accept = true)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"ml4b-{Environment.ProcessId}-{Random.Shared.Next(1 << 20):x}");
        await ChildProcess.RunAsync("ip", ["netns", "add", name], ToolLimit, stop);
        string batch = string.Join('\n', [
            "link set lo up", "link add eth0 type veth peer name outside", "link set outside up", "link set eth0 up",
            .. OwnAddresses.Select(a => $"addr add {a}/16 dev eth0"), "route add default dev eth0", "addr add fd77::2/64 dev eth0 nodad", "route add ::/0 dev eth0"]);
        await ChildProcess.RunAsync("sh", ["-c", $"printf '%s\\n' '{batch}' | ip -n {name} -batch -"], ToolLimit, stop);
        // Entries of closed connections live ten seconds otherwise, and would fill the table.
        await ChildProcess.RunAsync("ip", ["netns", "exec", name, "sh", "-c",
            "sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_close=1 net.netfilter.nf_conntrack_tcp_timeout_time_wait=1 || true"], ToolLimit, stop);
        return new CapturePod(name, accept ? In(name, Listen) : null);
    }

    /// <summary>Runs a program here and returns what it wrote and how long the whole process took.</summary>
    public async Task<(string Output, double Milliseconds)> RunAsync(CancellationToken stop, params string[] command)
    {
        // setns(2) of ip-netns costs about a millisecond, and it is in the figure.
        long started = Stopwatch.GetTimestamp();
        string output = await ChildProcess.RunAsync("ip", ["netns", "exec", Name, .. command], ToolLimit, stop);
        return (output, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
    }

    /// <summary>Connects and resets from several threads for a while; returns how many connections were made, and in which time.</summary>
    /// <exception cref="VoidRunException">One failed, or was not captured.</exception>
    public (long Connections, double Seconds) Churn(double seconds, CancellationToken stop)
    {
        long capturedBefore = Captured;
        long before = _turns.Sum();
        Exception? failure = null;
        var clock = Stopwatch.StartNew();
        Thread[] threads = [.. Enumerable.Range(0, ClientThreads).Select(number => new Thread(() =>
        {
            try
            {
                Namespaces.EnterNetwork(PathOf(Name));
                while (clock.Elapsed.TotalSeconds < seconds && failure is null && !stop.IsCancellationRequested)
                {
                    Connect(number, _turns[number]++);
                }
            }
            catch (Exception e)
            {
                failure = e;
            }
        }))];
        Array.ForEach(threads, static t => t.Start());
        Array.ForEach(threads, static t => t.Join());
        double took = clock.Elapsed.TotalSeconds;
        stop.ThrowIfCancellationRequested();
        if (failure is not null)
        {
            throw new VoidRunException($"a captured connection failed: {failure.Message}");
        }

        long made = _turns.Sum() - before;
        // On a busy machine no thread may come to connect in a short slice, and the acceptor's turn may come later than its end.
        return made == 0 || SpinWait.SpinUntil(() => Captured > capturedBefore, AcceptorLimit)
            ? (made, took)
            : throw new VoidRunException($"no connection came to the capture port{(_acceptorEnd is null ? "" : $": {_acceptorEnd.Message}")}");
    }

    /// <summary>Entries of the connection tracking table of this namespace.</summary>
    public long ConntrackEntries() => In(Name, static () =>
        long.Parse(File.ReadAllText("/proc/sys/net/netfilter/nf_conntrack_count"), CultureInfo.InvariantCulture));

    public async ValueTask DisposeAsync()
    {
        _listener?.Dispose();
        _acceptor?.Join();
        await ChildProcess.RunAsync("ip", ["netns", "del", Name], ToolLimit, CancellationToken.None);
    }

    private static void Connect(int number, long turn)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        // A reset leaves no TIME_WAIT behind, so that ports do not run out.
        socket.LingerState = new LingerOption(true, 0);
        socket.Bind(new IPEndPoint(OwnAddresses[(int)((number + turn) % OwnAddresses.Length)], 0));
        socket.Connect(new IPEndPoint(Destinations[(int)(((number * 7) + (turn * 5)) % Destinations.Length)], DestinationPort));
    }

    private static Socket Listen()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        TransparentSocket.Enable((int)socket.Handle, AddressFamily.InterNetwork);
        socket.Bind(new IPEndPoint(IPAddress.Any, CapturePort));
        socket.Listen(4096);
        return socket;
    }

    private void Accept(Socket listener)
    {
        try
        {
            while (true)
            {
                listener.Accept().Dispose();
                Captured++;
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The run is over, or is void: who waits for captured connections says so.
            _acceptorEnd = e;
        }
    }

    private static T In<T>(string name, Func<T> body)
    {
        T result = default!;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Namespaces.EnterNetwork(PathOf(name));
                result = body();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return failure is null ? result : throw new VoidRunException($"{name}: {failure.Message}");
    }

    private static string PathOf(string name) => $"/run/netns/{name}";

    private static IPAddress[] Addresses(byte first, byte second) =>
        [.. Enumerable.Range(1, 64).Select(host => new IPAddress([first, second, 1, (byte)host]))];
}
