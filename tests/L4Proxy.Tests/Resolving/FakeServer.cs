using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using MeshL4.TestKit;

namespace MeshL4.L4Proxy.Tests.Resolving;

/// <summary>A DNS server that answers over UDP what the test says: nothing, one message, or several.</summary>
internal sealed class FakeServer : IDisposable
{
    private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly Func<byte[], IEnumerable<byte[]>> _answers;

    public FakeServer(Func<byte[], IEnumerable<byte[]>> answers)
    {
        _answers = answers;
        _ = ServeAsync();
    }

    public FakeServer(Func<byte[], byte[]> answer)
        : this(question => [answer(question)])
    {
    }

    public IPEndPoint Address => (IPEndPoint)_socket.Client.LocalEndPoint!;

    /// <summary>What it was asked, with the port it was asked from.</summary>
    public ConcurrentQueue<(byte[] Message, int Port)> Asked { get; } = new();

    /// <summary>An address where nobody listens.</summary>
    public static IPEndPoint Nobody() => new(IPAddress.Loopback, FreePorts.Next());

    public void Dispose() => _socket.Dispose();

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                UdpReceiveResult received = await _socket.ReceiveAsync();
                Asked.Enqueue((received.Buffer, received.RemoteEndPoint.Port));
                foreach (byte[] answer in _answers(received.Buffer))
                {
                    await _socket.SendAsync(answer, received.RemoteEndPoint);
                }
            }
        }
        catch (Exception end) when (end is ObjectDisposedException or SocketException)
        {
            // Disposed.
        }
    }
}
