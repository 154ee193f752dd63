using System.Collections.Immutable;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>
/// The ClientHello body (RFC 8446 §4.1.2; TLS 1.0–1.2 hellos have the same shape). Unknown extensions, GREASE
/// (RFC 8701) and encrypted_client_hello are skipped: with ECH the name seen is the outer one, which is all a
/// middle box can know. Structure is checked as strictly as a TLS server would, so that nothing a server accepts
/// is read differently here.
/// </summary>
internal static class ClientHelloMessage
{
    /// <summary>More ALPN names than this are refused: nobody offers them, and each one costs a string.</summary>
    public const int MaxProtocols = 64;

    private const int ServerNameExtension = 0;
    private const int AlpnExtension = 16;
    private const int RandomLength = 32;
    private const int MaxSessionId = 32;

    /// <summary>Parses a whole body (without the four header bytes).</summary>
    public static TlsSniff Parse(ReadOnlySpan<byte> body)
    {
        var cursor = new ByteCursor(body);
        if (!cursor.TryUInt16(out int version) || version >> 8 != 3)
        {
            return TlsSniff.Invalid("tls_client_hello_version");
        }

        if (!SkipNegotiation(ref cursor))
        {
            return TlsSniff.Invalid("tls_client_hello_truncated");
        }

        if (cursor.AtEnd)
        {
            return TlsSniff.Hello(null, []);
        }

        return cursor.TryVector16(out ReadOnlySpan<byte> extensions) && cursor.AtEnd
            ? ParseExtensions(extensions)
            : TlsSniff.Invalid("tls_extensions_length");
    }

    /// <summary>Random, session id, cipher suites, compression methods.</summary>
    private static bool SkipNegotiation(ref ByteCursor cursor) =>
        cursor.TryTake(RandomLength, out _)
        && cursor.TryVector8(out ReadOnlySpan<byte> session) && session.Length <= MaxSessionId
        && cursor.TryVector16(out ReadOnlySpan<byte> suites) && suites.Length >= 2 && suites.Length % 2 == 0
        && cursor.TryVector8(out ReadOnlySpan<byte> compression) && compression.Length >= 1;

    private static TlsSniff ParseExtensions(ReadOnlySpan<byte> extensions)
    {
        string? serverName = null;
        ImmutableArray<string> protocols = default;
        var cursor = new ByteCursor(extensions);
        while (!cursor.AtEnd)
        {
            if (!cursor.TryUInt16(out int type) || !cursor.TryVector16(out ReadOnlySpan<byte> data))
            {
                return TlsSniff.Invalid("tls_extension_truncated");
            }

            string? error = type switch
            {
                ServerNameExtension => ParseServerName(data, ref serverName),
                AlpnExtension => ParseProtocols(data, ref protocols),
                _ => null,
            };
            if (error is not null)
            {
                return TlsSniff.Invalid(error);
            }
        }

        return TlsSniff.Hello(serverName, protocols.IsDefault ? [] : protocols);
    }

    /// <summary>RFC 6066 §3. One host_name entry: the only form clients send and servers take.</summary>
    private static string? ParseServerName(ReadOnlySpan<byte> data, ref string? serverName)
    {
        if (serverName is not null)
        {
            return "tls_server_name_twice";
        }

        var cursor = new ByteCursor(data);
        if (!cursor.TryVector16(out ReadOnlySpan<byte> list) || !cursor.AtEnd)
        {
            return "tls_server_name_length";
        }

        var entry = new ByteCursor(list);
        if (!entry.TryByte(out byte type) || type != 0
            || !entry.TryVector16(out ReadOnlySpan<byte> name) || !entry.AtEnd)
        {
            return "tls_server_name_list";
        }

        return ServerNameText.TryNormalize(name, out serverName) ? null : "tls_server_name_characters";
    }

    /// <summary>RFC 7301 §3.1.</summary>
    private static string? ParseProtocols(ReadOnlySpan<byte> data, ref ImmutableArray<string> protocols)
    {
        if (!protocols.IsDefault)
        {
            return "tls_alpn_twice";
        }

        var cursor = new ByteCursor(data);
        if (!cursor.TryVector16(out ReadOnlySpan<byte> list) || !cursor.AtEnd || list.IsEmpty)
        {
            return "tls_alpn_length";
        }

        var names = ImmutableArray.CreateBuilder<string>(2);
        var entries = new ByteCursor(list);
        while (!entries.AtEnd)
        {
            if (!entries.TryVector8(out ReadOnlySpan<byte> name) || name.IsEmpty)
            {
                return "tls_alpn_entry";
            }

            if (names.Count == MaxProtocols)
            {
                return "tls_alpn_too_many";
            }

            names.Add(ApplicationProtocolNames.Intern(name));
        }

        protocols = names.DrainToImmutable();
        return null;
    }
}
