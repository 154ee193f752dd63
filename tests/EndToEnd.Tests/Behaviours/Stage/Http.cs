using System.Globalization;
using System.Net.Sockets;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>The least HTTP client, for asking admin ports from any namespace.</summary>
internal static class Http
{
    /// <summary>Status 0 when nobody answers.</summary>
    public static (int Status, string Body) Get(int port, string path, string? ns = null, string address = "127.0.0.1")
    {
        try
        {
            using Call call = Call.To(port, address, ns);
            call.Send($"GET {path} HTTP/1.0\r\nHost: {(address.Contains(':') ? $"[{address}]" : address)}\r\n\r\n");
            string answer = call.Rest();
            int head = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            return head < 0 ? (0, "") : (int.Parse(answer.Split(' ')[1], CultureInfo.InvariantCulture), answer[(head + 4)..]);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return (0, "");
        }
    }
}
