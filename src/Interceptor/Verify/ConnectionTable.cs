using System.Globalization;
using System.Net;

namespace MeshL4.Interceptor.Verify;

/// <summary>The kernel's lists of TCP and UDP sockets (/proc/net/tcp, udp, tcp6, udp6; proc_net_tcp in the kernel's documentation): say
/// where a connection arrived at without asking the process that took it.</summary>
internal static class ConnectionTable
{
    private const string Listening = "0A";

    /// <summary>Local end of the connection whose peer is <paramref name="peer"/>, half-open ones included; null when there is none.</summary>
    public static IPEndPoint? LocalEndOf(IPEndPoint peer) =>
        Rows("tcp").Where(r => r.Peer.Equals(peer)).Select(r => r.Local).FirstOrDefault();

    /// <summary>Does any socket listen on <paramref name="port"/>, whatever the address?</summary>
    public static bool IsListenedOn(int port) => Rows("tcp").Any(r => r.State == Listening && r.Local.Port == port);

    /// <summary>The same at all addresses of a family, not at one.</summary>
    public static bool IsListenedOnEveryAddress(int port) => Rows("tcp").Any(
        r => r.State == Listening && r.Local.Port == port && (r.Local.Address.Equals(IPAddress.Any) || r.Local.Address.Equals(IPAddress.IPv6Any)));

    /// <summary>Is any UDP socket bound to <paramref name="port"/>?</summary>
    public static bool IsBoundUdp(int port) => Rows("udp").Any(r => r.Local.Port == port);

    /// <summary>The local ports of all sockets, TCP and UDP, at whatever address.</summary>
    public static IEnumerable<int> LocalPorts() => Rows("tcp").Concat(Rows("udp")).Select(r => r.Local.Port);

    private static IEnumerable<(IPEndPoint Local, IPEndPoint Peer, string State)> Rows(string protocol) =>
        from file in new[] { $"/proc/thread-self/net/{protocol}", $"/proc/thread-self/net/{protocol}6" }.Where(File.Exists)
        from line in File.ReadLines(file).Skip(1)
        let fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        where fields.Length > 3
        select (Parse(fields[1]), Parse(fields[2]), fields[3]);

    /// <summary>"0100007F:1F90" to 127.0.0.1:8080: 32-bit words in the machine's byte order, the port as a number.</summary>
    internal static IPEndPoint Parse(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        byte[] bytes = new byte[colon / 2];
        for (int word = 0; word < bytes.Length / 4; word++)
        {
            uint value = uint.Parse(text.AsSpan(word * 8, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            BitConverter.TryWriteBytes(bytes.AsSpan(word * 4), value);
        }

        var address = new IPAddress(bytes);
        return new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address,
            int.Parse(text.AsSpan(colon + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }
}
