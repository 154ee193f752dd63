using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;
using StringValue = Google.Protobuf.WellKnownTypes.StringValue;
using XdsCore = MeshL4.L4Proxy.Config.Protos.Xds.Core.V3;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using Listener = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Listener;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles <c>envoy.config.listener.v3.Listener</c>.</summary>
internal static class ListenerDecoder
{
    /// <summary>
    /// One snapshot per address; those after the first are named <c>name|address</c> and share the chains. Empty with errors in the
    /// scope when the listener cannot be used.
    /// </summary>
    public static ImmutableArray<ListenerSnapshot> Decode(Listener listener, DecodeScope scope)
    {
        EndPoint? address = Address(listener, scope);

        bool udp = listener.Address?.SocketAddress?.Protocol == Core.SocketAddress.Types.Protocol.Udp;
        ListenerSnapshot compiled = Compile(listener, address ?? new IPEndPoint(IPAddress.None, 0), udp, scope)
            with { IsDualStack = IsDualStack(address, listener.Address) };
        if (address is null)
        {
            return [];
        }

        var all = ImmutableArray.CreateBuilder<ListenerSnapshot>();
        all.Add(compiled);
        for (int i = 0; i < listener.AdditionalAddresses.Count; i++)
        {
            Core.Address additional = listener.AdditionalAddresses[i].Address;
            if (AddressDecoder.Decode(additional, scope.Item("additional_addresses", i).Field("address")) is { } more)
            {
                all.Add(compiled with
                {
                    Name = $"{compiled.Name}|{more}",
                    Resource = compiled.Name,
                    Address = more,
                    IsDualStack = IsDualStack(more, additional),
                });
            }
        }

        return all.ToImmutable();
    }

    private static EndPoint? Address(Listener listener, DecodeScope scope)
    {
        if (listener.ListenerSpecifierCase != Listener.ListenerSpecifierOneofCase.InternalListener)
        {
            return AddressDecoder.Decode(listener.Address, scope.Field("address"));
        }

        scope.Field("internal_listener").Error("internal listeners are not supported");
        return null;
    }

    private static bool IsDualStack(EndPoint? address, Core.Address? message) =>
        address is { AddressFamily: AddressFamily.InterNetworkV6 } && message?.SocketAddress?.Ipv4Compat == true;

    private static ListenerSnapshot Compile(Listener listener, EndPoint address, bool udp, DecodeScope scope) => new()
    {
        // Envoy names a listener without a name by a random UUID; the address says more and stays the same.
        Name = listener.Name.Length > 0 ? listener.Name : address.ToString()!,
        Address = address,
        StatPrefix = listener.StatPrefix,
        IsUdp = udp,
        BindToPort = listener.BindToPort ?? listener.DeprecatedV1?.BindToPort ?? true,
        UseOriginalDestination = listener.UseOriginalDst ?? false,
        Transparent = listener.Transparent ?? false,
        Freebind = listener.Freebind ?? false,
        ReusePort = listener.EnableReusePort ?? true,
        Backlog = (int)Math.Clamp(listener.TcpBacklogSize ?? 4096, 1, 65535),
        Direction = listener.TrafficDirection switch
        {
            Core.TrafficDirection.Inbound => TrafficDirection.Inbound,
            Core.TrafficDirection.Outbound => TrafficDirection.Outbound,
            _ => TrafficDirection.Unspecified,
        },
        Filters = ListenerFilterDecoder.Decode(listener, udp, scope),
        ListenerFiltersTimeout = scope.Duration("listener_filters_timeout", listener.ListenerFiltersTimeout) ?? TimeSpan.FromSeconds(15),
        ContinueOnListenerFiltersTimeout = listener.ContinueOnListenerFiltersTimeout,
        PerConnectionBufferLimitBytes = (int)Math.Clamp(listener.PerConnectionBufferLimitBytes ?? 1 << 20, 1, int.MaxValue),
        FilterChains = Chains(listener, udp, scope),
        ChainSelector = Selector(listener, scope),
        DefaultFilterChain = Default(listener, scope),
        Udp = udp ? UdpProxyDecoder.DecodeListener(listener, scope) : null,
        AccessLogs = AccessLogDecoder.Decode(listener.AccessLog, scope),
    };

    private static ChainNameSelector? Selector(Listener listener, DecodeScope scope)
    {
        if (listener.FilterChainMatcher is not { } matcher)
        {
            return null;
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < listener.FilterChains.Count; i++)
        {
            if (listener.FilterChains[i].Name.Length == 0 || !names.Add(listener.FilterChains[i].Name))
            {
                scope.Item("filter_chains", i).Field("name").Error("beside a filter_chain_matcher every chain needs a name of its own");
            }
        }

        return new MatcherTreeDecoder((action, at) => ChainName(action, names, at)).Decode(matcher, scope.Field("filter_chain_matcher"));
    }

    private static string ChainName(XdsCore.TypedExtensionConfig action, HashSet<string> chains, DecodeScope scope)
    {
        if (!TypedConfig.Is<StringValue>(action.TypedConfig))
        {
            scope.Error($"an action is a google.protobuf.StringValue with a chain's name, not '{TypedConfig.TypeName(action.TypedConfig)}'");
            return "";
        }

        string name = TypedConfig.Unpack<StringValue>(action.TypedConfig, scope)?.Value ?? "";
        if (!chains.Contains(name))
        {
            scope.Error($"there is no filter chain '{name}'");
        }

        return name;
    }

    /// <summary>Its match and name may be those of another chain, which it is not for that.</summary>
    private static FilterChainSnapshot? Default(Listener listener, DecodeScope scope) =>
        listener.DefaultFilterChain is { } chain && FilterChainDecoder.Decode(chain, scope.Field("default_filter_chain")) is { } compiled
            ? compiled with { Fingerprint = compiled.Fingerprint + 1 }
            : null;

    private static ImmutableArray<FilterChainSnapshot> Chains(Listener listener, bool udp, DecodeScope scope)
    {
        if (!udp && listener.FilterChains.Count == 0 && listener.DefaultFilterChain is null)
        {
            scope.Field("filter_chains").Error("a TCP listener needs at least one filter chain");
        }

        var chains = ImmutableArray.CreateBuilder<FilterChainSnapshot>(listener.FilterChains.Count);
        for (int i = 0; i < listener.FilterChains.Count; i++)
        {
            if (FilterChainDecoder.Decode(listener.FilterChains[i], scope.Item("filter_chains", i)) is { } chain)
            {
                chains.Add(chain);
            }
        }

        return chains.ToImmutable();
    }
}
