using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>A connection to a Redis server or a proxy, by words or by raw bytes.</summary>
internal sealed class Conversation : IDisposable
{
    private const string Mark = "$9\r\nthe mark.\r\n";
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 60_000 };

    public Conversation(int port) => _socket.Connect(new IPEndPoint(IPAddress.Loopback, port));

    public static string Frame(params string[] words) =>
        $"*{words.Length}\r\n" + string.Concat(words.Select(static word => $"${word.Length}\r\n{word}\r\n"));

    /// <summary>All that comes as answer to a command.</summary>
    public string Ask(params string[] words) => Exchange([Frame(words)]);

    /// <summary>All that comes as answer to bytes, sent in these pieces while answers are taken.</summary>
    public string Exchange(IReadOnlyList<string> pieces)
    {
        Task sending = Task.Run(() =>
        {
            foreach (string piece in pieces.Append(Frame("ECHO", "the mark.")))
            {
                _socket.Send(Encoding.Latin1.GetBytes(piece));
            }
        });
        var received = new StringBuilder();
        byte[] buffer = new byte[64 * 1024];
        while (!EndsWithMark(received))
        {
            int count = _socket.Receive(buffer);
            if (count == 0)
            {
                sending.Wait();
                return received.ToString();
            }

            received.Append(Encoding.Latin1.GetString(buffer, 0, count));
        }

        sending.Wait();
        return received.ToString(0, received.Length - Mark.Length);
    }

    public void Dispose() => _socket.Dispose();

    private static bool EndsWithMark(StringBuilder received) =>
        received.Length >= Mark.Length && received.ToString(received.Length - Mark.Length, Mark.Length) == Mark;
}
