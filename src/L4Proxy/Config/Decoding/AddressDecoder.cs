using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Addresses and prefixes of <c>envoy.config.core.v3</c>.</summary>
internal static class AddressDecoder
{
    /// <summary>sun_path of Linux holds 108 bytes with the final zero.</summary>
    private const int LongestSocketPath = 107;

    /// <summary>An IP address with port, or a Unix socket; null with an error otherwise.</summary>
    public static EndPoint? Decode(Core.Address? address, DecodeScope scope)
    {
        switch (address?.AddressCase ?? Core.Address.AddressOneofCase.None)
        {
            case Core.Address.AddressOneofCase.SocketAddress:
                return DecodeSocket(address!.SocketAddress, scope.Field("socket_address"));
            case Core.Address.AddressOneofCase.Pipe:
                return DecodePipe(address!.Pipe.Path, scope.Field("pipe.path"));
            case Core.Address.AddressOneofCase.EnvoyInternalAddress:
                scope.Field("envoy_internal_address").Error("internal listeners are not supported");
                return null;
            default:
                scope.Error("an address is required");
                return null;
        }
    }

    /// <summary>
    /// An address as inet_pton takes it, or an IPv6 address with a scope. The runtime's parser takes more: octal and hexadecimal numbers,
    /// <c>10.1</c> for 10.0.0.1, brackets, ports. A policy would cover others than those who wrote it think.
    /// </summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out IPAddress? address) => IPAddress.TryParse(text, out address)
        && (address.AddressFamily == AddressFamily.InterNetworkV6 ? text.AsSpan().IndexOfAny("[]/") < 0 : address.ToString() == text);

    /// <summary>An IP address with port; a host name is an error here.</summary>
    public static IPEndPoint? DecodeSocket(Core.SocketAddress address, DecodeScope scope)
    {
        int? port = DecodePort(address, scope);
        if (!TryParse(address.Address, out IPAddress? ip))
        {
            scope.Field("address").Error($"'{address.Address}' is not an IP address");
            return null;
        }

        return port is { } number ? new IPEndPoint(ip, number) : null;
    }

    /// <summary>The port of an address; null with an error when it is named or above 65535.</summary>
    public static int? DecodePort(Core.SocketAddress address, DecodeScope scope)
    {
        if (address.PortSpecifierCase == Core.SocketAddress.PortSpecifierOneofCase.NamedPort)
        {
            scope.Field("named_port").Error("named ports are not supported");
            return null;
        }

        if (address.PortValue > ushort.MaxValue)
        {
            scope.Field("port_value").Error($"{address.PortValue} is above 65535");
            return null;
        }

        return (int)address.PortValue;
    }

    /// <summary>A prefix; bits behind the prefix length are cleared, as Envoy does.</summary>
    public static IPNetwork? DecodeRange(Core.CidrRange range, DecodeScope scope)
    {
        if (!TryParse(range.AddressPrefix, out IPAddress? ip) || range.AddressPrefix.Contains('%'))
        {
            scope.Field("address_prefix").Error($"'{range.AddressPrefix}' is not an IP address");
            return null;
        }

        int longest = ip.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        if (range.PrefixLen > longest)
        {
            scope.Field("prefix_len").Error($"{range.PrefixLen} is above {longest}");
            return null;
        }

        return new IPNetwork(Masked(ip, (int)(range.PrefixLen ?? 0)), (int)(range.PrefixLen ?? 0));
    }

    private static UnixDomainSocketEndPoint? DecodePipe(string path, DecodeScope scope)
    {
        if (path.Length is 0 || System.Text.Encoding.UTF8.GetByteCount(path) > LongestSocketPath)
        {
            scope.Error($"a socket path has 1 to {LongestSocketPath} bytes");
            return null;
        }

        // A leading @ names the abstract namespace, whose addresses begin with a zero byte.
        return new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path);
    }

    private static IPAddress Masked(IPAddress address, int prefixLength)
    {
        byte[] bytes = address.GetAddressBytes();
        for (int i = 0; i < bytes.Length; i++)
        {
            int kept = Math.Clamp(prefixLength - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xFF00 >> kept);
        }

        return new IPAddress(bytes);
    }
}
