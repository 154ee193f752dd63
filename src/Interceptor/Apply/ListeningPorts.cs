using System.Globalization;

namespace MeshL4.Interceptor.Apply;

/// <summary>Which sockets of this network namespace wait for others, by the kernel's tables.</summary>
internal static class ListeningPorts
{
    private const string Listening = "0A";

    /// <summary>Does a TCP socket, v4 or v6, listen on <paramref name="port"/>?</summary>
    public static bool Tcp(int port) => Rows("tcp").Any(r => r.Port == port && r.State == Listening);

    /// <summary>Is a UDP socket, v4 or v6, bound to <paramref name="port"/>?</summary>
    public static bool Udp(int port) => Rows("udp").Any(r => r.Port == port);

    // "  0: 0100007F:3ACD 00000000:0000 0A ...": local address and port in hexadecimal, peer, state.
    private static IEnumerable<(int Port, string State)> Rows(string protocol) =>
        new[] { $"/proc/thread-self/net/{protocol}", $"/proc/thread-self/net/{protocol}6" }
            .Where(File.Exists).SelectMany(f => File.ReadLines(f).Skip(1))
            .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(w => w.Length > 3)
            .Select(w => (int.Parse(w[1].AsSpan(w[1].IndexOf(':') + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture), w[3]));
}
