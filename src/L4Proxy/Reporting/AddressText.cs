using System.Net;

namespace MeshL4.L4Proxy.Reporting;

/// <summary>Addresses as operators write them: IPv4-mapped addresses as IPv4, IPv6 in brackets before a port.</summary>
internal static class AddressText
{
    /// <summary><c>10.0.0.1:80</c>, <c>[::1]:80</c> or the path of a Unix socket; null for null.</summary>
    public static string? WithPort(EndPoint? address) => address switch
    {
        IPEndPoint { Address.IsIPv4MappedToIPv6: true } ip => new IPEndPoint(ip.Address.MapToIPv4(), ip.Port).ToString(),
        null => null,
        _ => address.ToString(),
    };

    /// <summary>As <see cref="WithPort"/> without port and brackets.</summary>
    public static string? WithoutPort(EndPoint? address) => address is IPEndPoint ip ? Address(ip) : WithPort(address);

    /// <summary>The address alone.</summary>
    public static string Address(IPEndPoint ip) =>
        (ip.Address.IsIPv4MappedToIPv6 ? ip.Address.MapToIPv4() : ip.Address).ToString();
}
