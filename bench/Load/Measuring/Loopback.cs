using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.Load.Measuring;

/// <summary>Addresses and first contacts on 127.0.0.0/8; nothing in the harness listens or dials anywhere else.</summary>
internal static class Loopback
{
    private static readonly byte[] PingBytes = "PING\r\n"u8.ToArray();

    /// <summary>The bytes every conversation of the harness asks with: an inline Redis PING.</summary>
    public static ReadOnlySpan<byte> Ping => PingBytes;

    /// <summary>Length of the answer <c>+PONG\r\n</c>.</summary>
    public const int PongLength = 7;

    /// <summary>An endpoint on 127.0.0.1 whose port was free a moment ago.</summary>
    public static IPEndPoint FreeEndPoint()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (IPEndPoint)probe.LocalEndPoint!;
    }

    /// <summary>Addresses 127.0.<paramref name="net"/>.1 and up.</summary>
    public static IPAddress[] Spread(byte net, int count) =>
        Enumerable.Range(1, count).Select(host => new IPAddress([127, 0, net, (byte)host])).ToArray();

    /// <summary>Waits until <paramref name="server"/> accepts on <paramref name="endPoint"/>, asking every millisecond.</summary>
    public static Task WaitForAcceptAsync(IPEndPoint endPoint, ChildProcess server, string name, CancellationToken stop) =>
        PollAsync(() => TryConnect(endPoint), server, $"{name} did not accept on {endPoint}", stop);

    /// <summary>Waits until an HTTP GET of <paramref name="path"/> is answered with 200, asking every millisecond.</summary>
    public static Task WaitForOkAsync(IPEndPoint admin, string path, ChildProcess server, string name, CancellationToken stop) =>
        PollAsync(() => TryGet(admin, path), server, $"{name} did not answer 200 at {admin}{path}", stop);

    private static async Task PollAsync(Func<bool> ready, ChildProcess server, string complaint, CancellationToken stop)
    {
        var started = Stopwatch.StartNew();
        while (!ready())
        {
            if (server.HasExited || started.Elapsed > TimeSpan.FromSeconds(10))
            {
                throw new VoidRunException($"{complaint}{(server.HasExited ? " (it ended)" : " within 10 s")}: {server.Output}");
            }

            await Task.Delay(1, stop);
        }
    }

    private static bool TryConnect(IPEndPoint endPoint)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Connect(endPoint);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static bool TryGet(IPEndPoint endPoint, string path)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 2000 };
            socket.Connect(endPoint);
            socket.Send(Encoding.UTF8.GetBytes($"GET {path} HTTP/1.1\r\nHost: {endPoint}\r\nConnection: close\r\n\r\n"));
            Span<byte> head = stackalloc byte[12];
            var read = socket.Receive(head);
            return head[..read].SequenceEqual("HTTP/1.1 200"u8);
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
