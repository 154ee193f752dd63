using System.Buffers;
using System.IO.Pipelines;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>
/// A socket seen as a pipe, for whatever reads bytes: sniffers, codecs, the hand-off. Reads go straight into rented
/// blocks and writes straight to the kernel; continuations run inline on the loop. Completing the output passes on a
/// half-close (a FIN); completing either side with an exception resets the connection.
/// </summary>
internal sealed class SocketPipe : IDuplexPipe, ISocketOwner
{
    private readonly SocketPipeReader _input;
    private readonly SocketPipeWriter _output;

    public SocketPipe(LoopSocket socket)
    {
        Socket = socket;
        _input = new SocketPipeReader(socket);
        _output = new SocketPipeWriter(socket);
        socket.Owner = this;
    }

    public LoopSocket Socket { get; }

    public PipeReader Input => _input;

    public PipeWriter Output => _output;

    /// <summary>Bytes read and not consumed; valid until the next read or completion of <see cref="Input"/>.</summary>
    public ReadOnlySequence<byte> Buffered => _input.Buffered;

    public void OnSocketReady(LoopSocket socket)
    {
        _input.OnReady();
        _output.OnReady();
    }

    /// <summary>
    /// Gives the socket up for a relay on descriptors. What was read and not consumed stays with
    /// <see cref="Input"/> until the caller has flushed it and completed the reader.
    /// </summary>
    public LoopSocket Detach()
    {
        if (Socket.Owner == this)
        {
            Socket.Owner = null;
        }

        return Socket;
    }

    /// <summary>Resets the connection from one side; whoever waits on the other side is told.</summary>
    internal static void Reset(LoopSocket socket)
    {
        if (socket.Owner is SocketPipe pipe)
        {
            pipe.Close(reset: true);
        }
        else
        {
            socket.Abort();
        }
    }

    /// <summary>
    /// Closes as <see cref="Close"/> does, but leaves the socket to a <see cref="LingeringClose"/>: what was written arrives
    /// although the peer sent bytes nobody will read. A detached or closed socket is closed at once.
    /// </summary>
    public void CloseAfterLastWords()
    {
        bool attached = Socket.Owner == this && !Socket.IsClosed;
        _input.Dispose();
        _output.Dispose();
        if (attached && !Socket.IsClosed)
        {
            LingeringClose.Start(Socket);
        }
        else
        {
            Socket.Close();
        }
    }

    /// <summary>Completes both sides, wakes whoever waits with a reset, gives every block back and closes the socket.</summary>
    public void Close(bool reset)
    {
        _input.Dispose();
        _output.Dispose();
        if (reset)
        {
            Socket.Abort();
        }
        else
        {
            Socket.Close();
        }
    }
}

/// <summary>The peer reset the connection, or the kernel gave it up; told apart from an orderly end of stream.</summary>
internal sealed class SocketResetException(int error)
    : IOException($"connection lost: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(error)}")
{
    /// <summary>errno.</summary>
    public int Error { get; } = error;
}
