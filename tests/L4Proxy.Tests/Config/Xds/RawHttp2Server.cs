using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>
/// A gRPC server made of frames (RFC 9113): begins a response on the first stream with one empty message, and from then on answers pings, or
/// is as good as dead.
/// </summary>
internal sealed class RawHttp2Server : IDisposable
{
    private const byte Data = 0, Headers = 1, Settings = 4, Ping = 6;
    private const byte Ack = 1, EndHeaders = 4;
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly bool _answersPings;
    private readonly int _pingsUntilMessage;

    /// <param name="answersPings">Else they are left unanswered.</param>
    /// <param name="pingsUntilMessage">After so many pings a second message follows.</param>
    public RawHttp2Server(bool answersPings, int pingsUntilMessage = int.MaxValue)
    {
        (_answersPings, _pingsUntilMessage) = (answersPings, pingsUntilMessage);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _ = ServeAsync();
    }

    /// <summary>A connection to it.</summary>
    public async ValueTask<Stream> ConnectAsync(CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_listener.LocalEndPoint!, cancellation);
        return new NetworkStream(socket, ownsSocket: true);
    }

    public void Dispose() => _listener.Dispose();

    private async Task ServeAsync()
    {
        try
        {
            using Socket socket = await _listener.AcceptAsync();
            await using var stream = new NetworkStream(socket);
            await stream.ReadExactlyAsync(new byte[24]); // the preface
            await stream.WriteAsync(Frame(Settings, 0, 0, []));
            int pings = 0;
            while (true)
            {
                byte[] head = new byte[9];
                await stream.ReadExactlyAsync(head);
                byte[] payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
                await stream.ReadExactlyAsync(payload);
                if (head[3] == Headers)
                {
                    await stream.WriteAsync((byte[])[.. Frame(Headers, EndHeaders, 1, [0x88, .. ContentType()]), .. Message()]);
                }
                else if (head[3] == Ping && _answersPings && (head[4] & Ack) == 0)
                {
                    await stream.WriteAsync(Frame(Ping, Ack, 0, payload));
                    await stream.WriteAsync(++pings == _pingsUntilMessage ? Message() : []);
                }
            }
        }
        catch (Exception over) when (over is IOException or SocketException or ObjectDisposedException)
        {
            // The client has left, or the test is over.
        }
    }

    private static byte[] Message() => Frame(Data, 0, 1, [0, 0, 0, 0, 0]);

    private static byte[] Frame(byte type, byte flags, byte stream, byte[] payload)
        => [(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, 0, 0, 0, stream, .. payload];

    /// <summary>RFC 7541, 6.2.2: a literal not indexed, its name the 31st of the static table.</summary>
    private static byte[] ContentType() => [0x0f, 0x10, 16, .. Encoding.ASCII.GetBytes("application/grpc")];
}
