namespace MeshL4.L4Proxy.Sockets;

/// <summary>
/// Closes a socket whose last words must arrive. close(2) with unread bytes resets the connection, and a reset makes the
/// peer's kernel drop what it has received and not yet read. So: end the sending direction, throw away what the peer
/// still sends, close at its end. Bounded in bytes and time; whoever goes over is reset.
/// </summary>
internal sealed unsafe class LingeringClose : ISocketOwner
{
    /// <summary>Bytes thrown away at most.</summary>
    public const long MostBytes = 1024 * 1024;

    /// <summary>Time given to the peer to end its direction.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private readonly LoopSocket _socket;
    private readonly LoopTimer _timer;
    private long _dropped;

    private LingeringClose(LoopSocket socket)
    {
        _socket = socket;
        _timer = new LoopTimer(static close => ((LingeringClose)close!)._socket.Abort(), this);
    }

    /// <summary>Takes the socket over. On its loop.</summary>
    public static void Start(LoopSocket socket)
    {
        var closing = new LingeringClose(socket);
        socket.Owner = closing;
        socket.ShutdownWrite();
        socket.Loop.Timers.Arm(closing._timer, Longest);

        // Edges seen so far were another owner's: ask the kernel itself.
        socket.Readable = true;
        closing.OnSocketReady(socket);
    }

    public void OnSocketReady(LoopSocket socket)
    {
        while (socket.Readable)
        {
            nint count = socket.Receive(socket.Loop.Memory.Scratch, socket.Loop.Memory.ScratchLength);
            _dropped += Math.Max(count, 0);
            if (count <= 0 && socket.Readable)
            {
                End(reset: count < 0);
            }
            else if (_dropped > MostBytes)
            {
                End(reset: true);
            }
        }
    }

    private void End(bool reset)
    {
        _socket.Loop.Timers.Cancel(_timer);
        if (reset)
        {
            _socket.Abort();
        }
        else
        {
            _socket.Close();
        }
    }
}
