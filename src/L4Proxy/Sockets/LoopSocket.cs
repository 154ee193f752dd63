using System.Net;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>Whoever uses a socket now: a pipe, a relay, a connect in progress.</summary>
internal interface ISocketOwner
{
    /// <summary>The socket's <see cref="LoopSocket.Readable"/>, <see cref="LoopSocket.Writable"/> or <see cref="LoopSocket.Failed"/> changed.</summary>
    void OnSocketReady(LoopSocket socket);
}

/// <summary>
/// A non-blocking stream socket on a loop, watched edge-triggered: readiness is remembered here until a call says
/// EAGAIN, so the epoll set is touched once per socket (twice if it ever fills its peer's window).
/// </summary>
internal sealed unsafe class LoopSocket : IoHandler
{
    private uint _watched;

    public LoopSocket(EventLoop loop, int fd)
        : base(loop, fd)
    {
    }

    public ISocketOwner? Owner { get; set; }

    /// <summary>A receive may have something: bytes, an end, or an error.</summary>
    public bool Readable { get; set; }

    public bool Writable { get; set; }

    /// <summary>The kernel reported an error or a full hang-up; a receive tells which.</summary>
    public bool Failed { get; private set; }

    /// <summary>The peer has sent its FIN: bytes may still be waiting before it.</summary>
    public bool PeerClosed { get; private set; }

    public bool IsClosed => Fd < 0;

    /// <summary>Starts watching. Accepted sockets need no write events until a send would block.</summary>
    /// <returns>0, or the errno with which the kernel refused (ENOSPC: fs.epoll.max_user_watches); the socket is closed then.</returns>
    public int Watch(bool forWriting)
    {
        Writable = !forWriting;
        _watched = Epoll.In | Epoll.ReadHangUp | Epoll.EdgeTriggered | (forWriting ? Epoll.Out : 0);
        int error = Loop.TryRegister(this, _watched);
        if (error != 0)
        {
            Close();
        }

        return error;
    }

    internal override void OnEvents(uint events)
    {
        if ((events & (Epoll.In | Epoll.ReadHangUp | Epoll.HangUp | Epoll.Error)) != 0)
        {
            Readable = true;
            PeerClosed |= (events & Epoll.ReadHangUp) != 0;
        }

        if ((events & (Epoll.Error | Epoll.HangUp)) != 0)
        {
            Failed = true;
            Writable = true;
        }

        if ((events & Epoll.Out) != 0)
        {
            Writable = true;
        }

        Owner?.OnSocketReady(this);
    }

    /// <summary>Bytes read, 0 at the end of the stream, or minus errno. EAGAIN clears <see cref="Readable"/>.</summary>
    public nint Receive(void* buffer, nint capacity)
    {
        nint count = SocketCalls.Receive(Fd, buffer, capacity, 0);
        if (count < 0)
        {
            return ReadError();
        }

        if (count < capacity && count > 0 && !PeerClosed && !Failed)
        {
            // A short read emptied the queue: whatever comes later raises a new edge.
            Readable = false;
        }

        return count;
    }

    /// <summary>Bytes taken by the kernel, or minus errno. A short or refused send clears <see cref="Writable"/>.</summary>
    public nint Send(void* buffer, nint length)
    {
        nint count = SocketCalls.Send(Fd, buffer, length, SocketCalls.NoSignal);
        if (count == length)
        {
            return count;
        }

        return count < 0 ? WriteError() : Blocked(count);
    }

    /// <summary>After a splice out of this socket failed: minus errno, with <see cref="Readable"/> cleared on EAGAIN.</summary>
    public nint ReadError()
    {
        int error = Marshal.GetLastSystemError();
        if (error == Errno.EAGAIN)
        {
            Readable = false;
        }

        return -error;
    }

    /// <summary>After a send or splice into this socket failed: minus errno, with <see cref="Writable"/> cleared on EAGAIN.</summary>
    public nint WriteError()
    {
        int error = Marshal.GetLastSystemError();
        return error == Errno.EAGAIN ? Blocked(-error) : -error;
    }

    /// <summary>Bytes that were sent and have not reached the peer's kernel, told by a system call; -1 where none are told.</summary>
    public int Unacknowledged()
    {
        int count = 0;
        return SocketCalls.IoControl(Fd, SocketCalls.OutQueue, &count) == 0 ? count : -1;
    }

    public void ShutdownWrite() => SocketCalls.Shutdown(Fd, SocketCalls.ShutdownWrite);

    /// <summary>Gives the descriptor up without closing it, for another loop to watch.</summary>
    public int Release() => Forget(closing: false);

    /// <summary>Closes; unread bytes make the kernel reset the peer, as close(2) always does.</summary>
    public void Close()
    {
        if (Fd >= 0)
        {
            Descriptors.Close(Forget(closing: true));
        }
    }

    /// <summary>Closes with a reset, so that the peer cannot take it for an orderly end.</summary>
    public void Abort()
    {
        if (Fd >= 0)
        {
            SocketTuning.ResetOnClose(Fd);
            Close();
        }
    }

    public IPEndPoint? LocalEndPoint() => SocketTuning.LocalEndPoint(Fd);

    private int Forget(bool closing)
    {
        int fd = Fd;
        Loop.Unregister(this, closing);
        Fd = -1;
        Owner = null;
        Readable = Writable = false;
        return fd;
    }

    private nint Blocked(nint result)
    {
        Writable = false;
        if ((_watched & Epoll.Out) == 0)
        {
            _watched |= Epoll.Out;
            Loop.Modify(this, _watched);
        }

        return result;
    }
}
