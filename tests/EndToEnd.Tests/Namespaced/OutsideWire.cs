using System.Diagnostics;
using MeshL4.Interceptor.Linux;
using MeshL4.Interceptor.Verify;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>The outside end of a pod's interface: frames as they come, and frames that no kernel would send.</summary>
internal sealed unsafe class OutsideWire : IDisposable
{
    private const int MostBytes = 65536;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly byte[] PodHardware = [2, 0, 0, 0, 0, 1];
    private static readonly byte[] OutsideHardware = [2, 0, 0, 0, 0, 2];

    private readonly int _fd;

    public OutsideWire(Pod pod)
    {
        _fd = Pod.In(pod.Outside, () => PacketSockets.Open("eth0"));
        if (_fd < 0)
        {
            throw new InvalidOperationException(Errno.Message(Errno.Last));
        }
    }

    /// <summary>Sends a frame to the pod.</summary>
    public void Send(Frame frame)
    {
        byte[] bytes = frame.ToBytes(OutsideHardware, PodHardware);
        fixed (byte* start = bytes)
        {
            if (SocketCalls.Send(_fd, start, bytes.Length, 0) != bytes.Length)
            {
                throw new InvalidOperationException(Errno.Message(Errno.Last));
            }
        }
    }

    /// <summary>Reads frames of either direction until one is wanted, which is the last of the list.</summary>
    public List<Frame> ReadUntil(Func<Frame, bool> wanted)
    {
        var frames = new List<Frame>();
        byte[] buffer = new byte[MostBytes];
        long start = Stopwatch.GetTimestamp();
        using var ready = new Readiness();
        ready.Add(_fd);
        while (Stopwatch.GetElapsedTime(start) < Limit)
        {
            ready.Wait(100);
            nint read;
            fixed (byte* into = buffer)
            {
                read = SocketCalls.Receive(_fd, into, MostBytes, SocketCalls.DontWait);
            }

            if (read > 0 && Frame.Read(buffer.AsSpan(0, (int)read)) is Frame frame)
            {
                frames.Add(frame);
                if (wanted(frame))
                {
                    return frames;
                }
            }
        }

        throw new TimeoutException($"the frame did not come; {frames.Count} others did");
    }

    public void Dispose() => _ = Descriptors.Close(_fd);
}
