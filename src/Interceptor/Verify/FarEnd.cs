using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Verify;

/// <summary>The far end of a pair: sees what leaves the pod, and sends what enters it.</summary>
internal sealed unsafe class FarEnd : IDisposable
{
    private const int MostBytes = 2048;
    private const int BeaconAttempts = 2000;

    // IEEE 802: for local experiments; nobody above the link layer looks at it.
    private const byte ExperimentHigh = 0x88;
    private const byte ExperimentLow = 0xb5;

    private readonly ProbeLink _link;

    private FarEnd(ProbeLink link, int fd)
    {
        _link = link;
        Descriptor = fd;
    }

    /// <summary>The packet socket.</summary>
    public int Descriptor { get; }

    /// <summary>Opens the far end of <paramref name="link"/> and waits until frames pass in both directions.</summary>
    /// <returns>Null with the reason in <paramref name="obstacle"/> when that cannot be.</returns>
    public static FarEnd? Open(ProbeLink link, out string? obstacle)
    {
        int fd = PacketSockets.Open(link.Far);
        if (fd < 0)
        {
            int errno = Errno.Last;
            obstacle = $"no packet socket: {Errno.Message(errno)}{(errno == Errno.EPERM ? "; CAP_NET_RAW is missing" : "")}";
            return null;
        }

        var end = new FarEnd(link, fd);
        obstacle = end.Carries() ? null : $"{link.Near} and {link.Far} do not pass frames to each other";
        if (obstacle is null)
        {
            return end;
        }

        end.Dispose();
        return null;
    }

    /// <summary>The next frame that has arrived; false when there is none. The frame is null when it is of no interest.</summary>
    public bool TryRead(out Frame? frame)
    {
        byte* buffer = stackalloc byte[MostBytes];
        nint read = SocketCalls.Receive(Descriptor, buffer, MostBytes, SocketCalls.DontWait);
        frame = read > 0 ? Frame.Read(new ReadOnlySpan<byte>(buffer, (int)read)) : null;
        return read > 0;
    }

    /// <summary>Sends <paramref name="frame"/> into the pod.</summary>
    public void Send(Frame frame) => Send(Descriptor, frame.ToBytes(_link.FarHardware, _link.NearHardware));

    /// <inheritdoc/>
    public void Dispose() => _ = Descriptors.Close(Descriptor);

    private static void Send(int fd, byte[] bytes)
    {
        fixed (byte* start = bytes)
        {
            // A frame that is lost here shows as a promise that nothing speaks for; there is no better answer to a failure.
            _ = SocketCalls.Send(fd, start, bytes.Length, SocketCalls.DontWait);
        }
    }

    // An interface drops what it is given until the kernel's deferred work has attached its queue, some milliseconds after "up".
    private bool Carries()
    {
        int near = PacketSockets.Open(_link.Near);
        if (near < 0)
        {
            return false;
        }

        try
        {
            return Passes(near, Descriptor, _link.NearHardware, _link.FarHardware) && Passes(Descriptor, near, _link.FarHardware, _link.NearHardware);
        }
        finally
        {
            _ = Descriptors.Close(near);
        }
    }

    private static bool Passes(int from, int to, byte[] source, byte[] destination)
    {
        byte[] beacon = [.. destination, .. source, ExperimentHigh, ExperimentLow, .. new byte[46]];
        using var ready = new Readiness();
        ready.Add(to);
        byte* buffer = stackalloc byte[MostBytes];
        for (int i = 0; i < BeaconAttempts; i++)
        {
            Send(from, beacon);
            ready.Wait(1);
            nint read;
            while ((read = SocketCalls.Receive(to, buffer, MostBytes, SocketCalls.DontWait)) > 0)
            {
                if (read > 13 && buffer[12] == ExperimentHigh && buffer[13] == ExperimentLow && new ReadOnlySpan<byte>(buffer + 6, 6).SequenceEqual(source))
                {
                    return true;
                }
            }
        }

        return false;
    }
}
