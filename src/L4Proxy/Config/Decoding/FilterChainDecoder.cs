using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles a filter chain: its match, its non-terminal filters and the one that ends it.</summary>
internal static class FilterChainDecoder
{
    /// <summary>Null, with errors in the scope, when the chain has no usable end.</summary>
    public static FilterChainSnapshot? Decode(FilterChain chain, DecodeScope scope)
    {
        FilterChainMatchSnapshot match = FilterChainMatchDecoder.Decode(chain.FilterChainMatch, scope.Field("filter_chain_match"));
        bool tls = TransportSocketDecoder.Downstream(chain.TransportSocket, scope.Field("transport_socket"));
        if (chain.UseProxyProto ?? false)
        {
            scope.Field("use_proxy_proto").Error("not supported: use the proxy_protocol listener filter");
        }

        var filters = ImmutableArray.CreateBuilder<NetworkFilterSnapshot>();
        TerminalSnapshot? terminal = null;
        for (int i = 0; i < chain.Filters.Count; i++)
        {
            DecodeScope at = scope.Item("filters", i);
            NetworkFilter filter = NetworkFilterDecoder.Decode(chain.Filters[i], i == chain.Filters.Count - 1, at);
            if (terminal is not null)
            {
                at.Error($"'{chain.Filters[i].Name}' stands behind the terminal filter and would never run");
            }

            terminal ??= filter.Terminal;
            if (filter.Filter is { } admitting)
            {
                filters.Add(admitting);
            }

            if (filter.IsTerminal && filter.Terminal is null)
            {
                return null;
            }
        }

        return Finish(chain, scope, terminal) is { } end
            ? new FilterChainSnapshot
            {
                Name = chain.Name,
                Match = match,
                Fingerprint = Fingerprint(chain),
                Filters = filters.ToImmutable(),
                RequiresTls = tls,
                Terminal = end,
                Secrets = TlsSecretsDecoder.Of(chain.TransportSocket?.TypedConfig, scope.Field("transport_socket.typed_config")),
            }
            : null;
    }

    /// <summary>What this build cannot act on does not count: the same chain from the file of the last good resources lacks it.</summary>
    private static UInt128 Fingerprint(FilterChain chain) => Digest(LiveRoutes.Without(chain));

    /// <summary>The same of a message.</summary>
    public static UInt128 Digest(IMessage message) => BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(KnownMessage.FormOf(message)));

    private static TerminalSnapshot? Finish(FilterChain chain, DecodeScope scope, TerminalSnapshot? terminal)
    {
        if (terminal is null && chain.Filters.Count > 0)
        {
            scope.Field("filters").Error("the last filter must be a terminal one (tcp_proxy, redis_proxy, http_connection_manager, direct_response)");
            return null;
        }

        // Envoy closes a connection that meets a chain without filters.
        return terminal ?? new RejectTerminalSnapshot();
    }
}
