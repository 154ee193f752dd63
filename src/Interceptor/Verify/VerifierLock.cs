using System.Diagnostics;
using System.Net.Sockets;

namespace MeshL4.Interceptor.Verify;

/// <summary>At most one verification in a network namespace at a time: two would remove each other's interfaces. An abstract socket
/// name belongs to the namespace and is free again the moment its holder ends, however it ends.</summary>
internal static class VerifierLock
{
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(10);

    /// <summary>Takes the lock, waiting for another verification to end; null when it has not within <paramref name="patience"/>.</summary>
    public static IDisposable? Take(TimeSpan patience)
    {
        long start = Stopwatch.GetTimestamp();
        using var never = new ManualResetEvent(false);
        IDisposable? held;
        while ((held = TryTake()) is null && Stopwatch.GetElapsedTime(start) < patience)
        {
            _ = never.WaitOne(BetweenTries);
        }

        return held;
    }

    private static Socket? TryTake()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint("\0meshl4-verify"));
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }
}
