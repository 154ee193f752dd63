using System.Net;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin;

/// <summary>
/// Keeps web pages and confused services from commanding the proxy: a POST is taken only when its Host names this machine's
/// loopback or the address it came to, and never with an Origin, which only browsers send (CVE-2024-40632's class).
/// </summary>
internal static class MutationGuard
{
    /// <summary>Null when the request may pass, else why not.</summary>
    public static string? Refusal(HttpContext http)
    {
        if (http.Request.Headers.ContainsKey("Origin"))
        {
            return "requests of web pages (Origin) are refused";
        }

        return IsOwn(http.Request.Host.Host, http.Connection.LocalIpAddress) ? null : "the Host header names another machine";
    }

    private static bool IsOwn(string host, IPAddress? local)
    {
        if (string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        // Loose forms such as "127.1" or "2130706433" parse too; they name the same loopback.
        return IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address)
            && (IPAddress.IsLoopback(address) || Same(address, local));
    }

    private static bool Same(IPAddress address, IPAddress? local) =>
        local is not null && address.MapToIPv6().Equals(local.MapToIPv6());
}
