using System.Net;
using System.Net.Sockets;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Decodes <c>upstream_bind_config</c> to at most one source address per family.</summary>
internal static class BindConfigDecoder
{
    public static (IPEndPoint? V4, IPEndPoint? V6) Decode(Core.BindConfig? config, DecodeScope scope)
    {
        var sources = new List<(Core.SocketAddress? Address, DecodeScope Scope)>();
        if (config is not null)
        {
            sources.Add((config.SourceAddress, scope.Field("source_address")));
            sources.AddRange(config.ExtraSourceAddresses.Select((extra, i) => ((Core.SocketAddress?)extra.Address, scope.Item("extra_source_addresses", i).Field("address"))));
            sources.AddRange(config.AdditionalSourceAddresses.Select((extra, i) => ((Core.SocketAddress?)extra, scope.Item("additional_source_addresses", i))));
        }

        (IPEndPoint? V4, IPEndPoint? V6) bound = default;
        foreach ((Core.SocketAddress? address, DecodeScope at) in sources)
        {
            if (address is null || AddressDecoder.DecodeSocket(address, at) is not { } source)
            {
                continue;
            }

            bool v4 = source.AddressFamily == AddressFamily.InterNetwork;
            if ((v4 ? bound.V4 : bound.V6) is not null)
            {
                at.Warn($"{source} is left out: one source address per family is used");
            }

            bound = v4 ? (bound.V4 ?? source, bound.V6) : (bound.V4, bound.V6 ?? source);
        }

        return bound;
    }
}
