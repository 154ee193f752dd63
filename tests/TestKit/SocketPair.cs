using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.TestKit;

/// <summary>A TCP connection over loopback: the near end on a loop, the far end an ordinary blocking socket.</summary>
internal sealed class SocketPair : IDisposable
{
    private SocketPair(LoopSocket near, Socket far)
    {
        Near = near;
        Far = far;
    }

    public LoopSocket Near { get; }

    public Socket Far { get; }

    /// <summary>Connects and watches.</summary>
    /// <param name="fixture">The loop of the near end.</param>
    /// <param name="farReceiveBytes">Receive buffer of the far end; null for the system's.</param>
    public static async Task<SocketPair> OpenAsync(LoopFixture fixture, int? farReceiveBytes = null)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (farReceiveBytes is int bytes)
        {
            far.ReceiveBufferSize = bytes;
        }

        await far.ConnectAsync(listener.LocalEndPoint!);
        Socket accepted = await listener.AcceptAsync();
        int fd = Release(accepted);
        LoopSocket near = await fixture.OnAsync(() =>
        {
            var socket = new LoopSocket(fixture.Loop, fd);
            socket.Watch(forWriting: false);
            return socket;
        });
        return new SocketPair(near, far);
    }

    /// <summary>Makes the far end's close a reset.</summary>
    public void ResetFar()
    {
        Far.LingerState = new LingerOption(true, 0);
        Far.Dispose();
    }

    /// <summary>Everything the far end receives until the end of the stream.</summary>
    public async Task<byte[]> ReadToEndAsync()
    {
        using var all = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        int count;
        while ((count = await Far.ReceiveAsync(buffer)) > 0)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }

    /// <summary>Sends everything, then a FIN.</summary>
    public async Task SendAllAndEndAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await Far.SendAsync(bytes)..];
        }

        Far.Shutdown(SocketShutdown.Send);
    }

    public static byte[] Noise(int length) => RandomNumberGenerator.GetBytes(length);

    public void Dispose()
    {
        Near.Loop.InvokeAsync(() =>
        {
            Near.Close();
            return 0;
        }).Wait(Patience.Limit);
        Far.Dispose();
    }

    /// <summary>Takes the descriptor out of a .NET socket, non-blocking.</summary>
    private static int Release(Socket socket)
    {
        socket.Blocking = false;
        int fd = (int)socket.SafeHandle.DangerousGetHandle();
        socket.SafeHandle.SetHandleAsInvalid();
        return fd;
    }
}
