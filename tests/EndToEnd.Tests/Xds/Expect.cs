using System.Net.Sockets;
using MeshL4.TestKit;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>What a client of the proxy meets, waited for.</summary>
internal static class Expect
{
    /// <summary>Waits until new connections to <paramref name="port"/> meet a peer with that banner. Banners have equal lengths.</summary>
    public static Task SaysAsync(ProxyProcess proxy, int port, string banner) => Patience.UntilAsync(
        async () =>
        {
            try
            {
                using Client client = await Client.ConnectAsync(port);
                return await client.ReadAsync(banner) == banner;
            }
            catch (SocketException)
            {
                return false;
            }
        },
        $"port {port} says '{banner}'",
        () => proxy.Said);

    /// <summary>Waits until new connections to <paramref name="port"/> are closed without a word.</summary>
    public static Task ClosesAsync(ProxyProcess proxy, int port) => Patience.UntilAsync(
        async () =>
        {
            try
            {
                using Client client = await Client.ConnectAsync(port);
                client.EndSending();
                return (await client.ReadToEndAsync()).Bytes.Length == 0;
            }
            catch (SocketException)
            {
                return false;
            }
        },
        $"port {port} closes connections",
        () => proxy.Said);

    /// <summary>Waits until nobody listens on <paramref name="port"/>.</summary>
    public static Task RefusesAsync(ProxyProcess proxy, int port) => Patience.UntilAsync(
        async () =>
        {
            try
            {
                using Client client = await Client.ConnectAsync(port);
                return false;
            }
            catch (SocketException)
            {
                return true;
            }
        },
        $"port {port} is closed",
        () => proxy.Said);
}
