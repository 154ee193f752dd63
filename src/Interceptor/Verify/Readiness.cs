using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Verify;

/// <summary>Waits until one of some descriptors can be read.</summary>
internal sealed unsafe class Readiness : IDisposable
{
    private readonly int _epoll = Epoll.Create(Epoll.CloseOnExec);

    /// <summary>Counts <paramref name="fd"/> in; closing it counts it out.</summary>
    public void Add(int fd)
    {
        var @event = new EpollEvent { Events = Epoll.In, DataLow = (uint)fd };
        if (Epoll.Control(_epoll, Epoll.ControlAdd, fd, &@event) != 0)
        {
            throw new InvalidOperationException($"epoll_ctl: {Errno.Message(Marshal.GetLastSystemError())}");
        }
    }

    /// <summary>Returns when one can be read, or after <paramref name="milliseconds"/>.</summary>
    public void Wait(int milliseconds)
    {
        EpollEvent @event;
        _ = Epoll.Wait(_epoll, &@event, 1, milliseconds);
    }

    /// <inheritdoc/>
    public void Dispose() => _ = Descriptors.Close(_epoll);
}
