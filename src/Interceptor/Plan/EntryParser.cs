using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>One entry of a list flag. Strict: digits only, no signs, spaces, leading zeros or short forms, because what one tool reads
/// generously the next reads differently.</summary>
internal static class EntryParser
{
    /// <summary>1 to 65535.</summary>
    public static bool TryPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= 65535 && !IsOctal(text);

    /// <summary>"80", "8000-8010", or "8000:8010".</summary>
    public static bool TryPortRange(string text, out PortRange range)
    {
        string[] ends = text.Split('-', ':');
        range = default;
        if (ends.Length > 2 || !TryPort(ends[0], out int first) || !TryPort(ends[^1], out int last) || first > last)
        {
            return false;
        }

        range = new PortRange(first, last);
        return true;
    }

    /// <summary>An address block, or an address alone. Host bits are cleared, as every firewall does.</summary>
    /// <remarks>No brackets: <see cref="IPAddress"/> takes them, and leaves a port behind them out.</remarks>
    public static bool TryBlock(string text, out IPNetwork block)
    {
        block = default;
        string[] parts = text.Split('/');
        if (parts.Length > 2 || !IPAddress.TryParse(parts[0], out IPAddress? address) || parts[0].AsSpan().ContainsAny('%', '[') || IsShortV4(parts[0], address))
        {
            return false;
        }

        int bits = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        int prefix = bits;
        if (parts.Length == 2 && (!int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out prefix) || prefix > bits || IsOctal(parts[1])))
        {
            return false;
        }

        block = new IPNetwork(Masked(address, prefix), prefix);
        return true;
    }

    /// <summary>An address alone, as the block that holds nothing else.</summary>
    public static bool TryAddress(string text, out IPNetwork address) => TryBlock(text, out address) && !text.Contains('/');

    /// <summary>A user or group id; 4294967295 is the kernel's "none".</summary>
    public static bool TryId(string text, out uint id) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id) && id != uint.MaxValue && !IsOctal(text);

    /// <summary>"10.96.0.1:6379" or "[2001:db8::1]:6379".</summary>
    /// <returns>What is wrong, or null.</returns>
    public static string? Endpoint(string text, out IPEndPoint? endpoint)
    {
        endpoint = null;
        bool bracketed = text.StartsWith('[');
        int colon = bracketed ? text.IndexOf("]:", StringComparison.Ordinal) + 1 : text.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0 || (!bracketed && colon != text.LastIndexOf(':')))
        {
            return "not an address with a port (10.96.0.1:6379, or with brackets [2001:db8::1]:6379)";
        }

        string host = bracketed ? text[1..(colon - 1)] : text[..colon];
        string port = text[(colon + 1)..];
        if (!TryAddress(host, out IPNetwork address) || bracketed != (address.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6))
        {
            return $"'{host}' is not an address{(bracketed ? " of IPv6" : "")}; names are not looked up";
        }

        if (address.BaseAddress.IsIPv4MappedToIPv6)
        {
            return $"packets to it are IPv4, {address.BaseAddress.MapToIPv4()}";
        }

        endpoint = TryPort(port, out int number) ? new IPEndPoint(address.BaseAddress, number) : null;
        return endpoint is null ? $"'{port}' is not a port (1 to 65535)" : null;
    }

    /// <summary>The words that Go's strconv.ParseBool takes, and no others; null for those.</summary>
    public static bool? Switch(string text) => text switch
    {
        "1" or "t" or "T" or "true" or "TRUE" or "True" => true,
        "0" or "f" or "F" or "false" or "FALSE" or "False" => false,
        _ => null,
    };

    /// <summary>Numbers with units, as Go writes them: "5s", "500ms", "1m30s"; more than nothing, at most an hour.</summary>
    public static bool TryDuration(string text, out TimeSpan duration)
    {
        duration = default;
        // Summed up as a number: a TimeSpan of as many hours as a text can name does not exist.
        double sum = 0;
        for (string rest = text; rest.Length > 0;)
        {
            string digits = string.Concat(rest.TakeWhile(char.IsAsciiDigit));
            string unit = string.Concat(rest[digits.Length..].TakeWhile(char.IsAsciiLetter));
            double milliseconds = unit switch { "ms" => 1, "s" => 1000, "m" => 60_000, "h" => 3_600_000, _ => 0 };
            if (milliseconds == 0 || !uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
            {
                return false;
            }

            sum += number * milliseconds;
            rest = rest[(digits.Length + unit.Length)..];
        }

        bool bounded = sum is > 0 and <= 3_600_000;
        duration = TimeSpan.FromMilliseconds(bounded ? sum : 0);
        return bounded;
    }

    /// <summary>1 to 15 characters, the "+" for any ending among them, of those that interface names are made of in practice, and that no rule language gives a meaning.</summary>
    public static bool IsInterface(string text)
    {
        string name = text.EndsWith('+') ? text[..^1] : text;
        return name.Length >= 1 && text.Length <= 15 && name[0] != '-' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '@');
    }

    // "010" is eight to iptables.
    private static bool IsOctal(string digits) => digits.Length > 1 && digits[0] == '0';

    // "10.1" and "012.0.0.1" parse as addresses, but as others than their writer meant.
    private static bool IsShortV4(string text, IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetwork && text != address.ToString();

    private static IPAddress Masked(IPAddress address, int prefix)
    {
        byte[] bytes = address.GetAddressBytes();
        for (int i = 0; i < bytes.Length; i++)
        {
            int keep = Math.Clamp(prefix - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xFF00 >> keep);
        }

        return new IPAddress(bytes);
    }
}
