using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshL4.TestKit;

/// <summary>Ports for whoever binds them later. A port that the kernel chose is anybody's again the moment it is let go of; these lie below
/// the range from which the kernel chooses by default, and no two tests are given the same one, whichever process they are in.</summary>
internal static class FreePorts
{
    private const int First = 20480;
    private const int Count = 11000;

    // Which was given last, for all processes of this user.
    private static readonly string Ledger = Path.Combine(Path.GetTempPath(), $"meshl4-test-ports-{Environment.UserName}");

    /// <summary>One that nobody holds at any address, neither for TCP nor for UDP.</summary>
    public static int Next()
    {
        using FileStream ledger = Open();
        byte[] text = new byte[16];
        int read = ledger.ReadAtLeast(text, text.Length, throwOnEndOfStream: false);
        _ = int.TryParse(Encoding.ASCII.GetString(text, 0, read), NumberStyles.None, CultureInfo.InvariantCulture, out int last);
        int port = Enumerable.Range(1, Count).Select(i => First + (int)(((uint)last + i) % Count)).First(IsFree);
        ledger.SetLength(0);
        ledger.Write(Encoding.ASCII.GetBytes((port - First).ToString(CultureInfo.InvariantCulture)));
        return port;
    }

    // Not shared is locked, against other processes too.
    private static FileStream Open()
    {
        long end = Environment.TickCount64 + (long)Patience.Limit.TotalMilliseconds;
        while (true)
        {
            try
            {
                return new FileStream(Ledger, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException) when (Environment.TickCount64 < end)
            {
                Thread.Sleep(1);
            }
        }
    }

    private static bool IsFree(int port) => IsFree(port, SocketType.Stream, ProtocolType.Tcp) && IsFree(port, SocketType.Dgram, ProtocolType.Udp);

    private static bool IsFree(int port, SocketType type, ProtocolType protocol)
    {
        try
        {
            using var socket = Socket.OSSupportsIPv6
                ? new Socket(AddressFamily.InterNetworkV6, type, protocol) { DualMode = true }
                : new Socket(AddressFamily.InterNetwork, type, protocol);
            socket.Bind(new IPEndPoint(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
