using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Decodes network and listener filters whose settings are discovered, and the settings when they come.</summary>
internal static class ExtensionDecoder
{
    /// <summary>Name of the message that routes of RPC protocols are, which are discovered in the same way.</summary>
    public const string RoutesType = "meshl4.xrpc.v1.RouteConfig";

    private const string ListenerFilters = "envoy.extensions.filters.listener.";

    /// <summary>The place of a discovered filter. Null, with an error, without a usable source.</summary>
    /// <param name="name">The filter's name, which its resource has, too.</param>
    /// <param name="source">Where its settings come from.</param>
    /// <param name="standing">Says of the need where the filter stands.</param>
    /// <param name="scope">The filter's place.</param>
    public static DiscoveredFilterSnapshot? Place(string name, ExtensionConfigSource source, Func<ResourceNeed, ResourceNeed> standing, DecodeScope scope)
    {
        DecodeScope at = scope.Field("config_discovery");
        if (name.Length == 0)
        {
            scope.Field("name").Error("is required: it names the settings");
        }

        if (source.TypeUrls.Count == 0)
        {
            at.Field("type_urls").Error("at least one is required");
        }

        if (source.ConfigSource is null)
        {
            at.Field("config_source").Error("is required");
            return null;
        }

        ImmutableArray<string> types = [.. source.TypeUrls.Select(MessageTypes.NameOf)];
        ResourceNeed? need = ResourceNeed.From(TypeUrls.ExtensionConfig, name, source.ConfigSource, at.Field("config_source"));
        need = need is null ? null : standing(need) with { Types = types };
        ExtensionSnapshot? otherwise = source.DefaultConfig is null ? null : Compile(name, source.DefaultConfig, at.Field("default_config"));
        if (otherwise is not null && need is not null)
        {
            CheckPlace(otherwise, need, at.Field("default_config"));
        }

        return need is null ? null : new DiscoveredFilterSnapshot(need, otherwise)
        {
            DefaultServesAtOnce = source.ApplyDefaultConfigWithoutWarming && otherwise is not null,
        };
    }

    /// <summary>Compiles settings that came, and holds them against every filter that asks for them.</summary>
    /// <param name="extension">As sent.</param>
    /// <param name="askers">The filters that name it.</param>
    /// <param name="scope">Takes the errors.</param>
    public static ExtensionSnapshot Decode(TypedExtensionConfig extension, IEnumerable<ResourceNeed> askers, DecodeScope scope)
    {
        DecodeScope at = scope.Field("typed_config");
        if (extension.TypedConfig is null)
        {
            at.Error("is required");
            return new ExtensionSnapshot("", default, []);
        }

        string type = TypedConfig.TypeName(extension.TypedConfig);
        foreach (ResourceNeed asker in askers)
        {
            if (!asker.Types.Contains(type))
            {
                at.Error($"is a '{type}' where {(asker.Routes is null ? "the filter" : "the route_discovery")} that asks for it takes {string.Join(", ", asker.Types.Select(static one => $"'{one}'"))}");
                return new ExtensionSnapshot(type, default, []);
            }
        }

        if (type == RoutesType)
        {
            return Routes(extension.TypedConfig, askers, at);
        }

        ExtensionSnapshot compiled = Compile(extension.Name, extension.TypedConfig, at);
        foreach (ResourceNeed asker in askers)
        {
            CheckPlace(compiled, asker, at);
        }

        return compiled;
    }

    /// <summary>Whether settings may stand where they are asked for.</summary>
    public static bool Fits(ExtensionSnapshot extension, ResourceNeed asker)
        => asker.Types.Contains(extension.Type) && extension.ListenerFilter is not null == asker.IsListenerFilter && extension.Filter.IsTerminal == asker.IsLast && (!asker.IsLast || extension.Filter.Terminal is not null);

    private static ExtensionSnapshot Compile(string name, Any settings, DecodeScope scope)
    {
        string type = TypedConfig.TypeName(settings);
        if (type.StartsWith(ListenerFilters, StringComparison.Ordinal))
        {
            return new ExtensionSnapshot(type, default, []) { ListenerFilter = ListenerFilterDecoder.Compile(name, settings, scope, scope) };
        }

        NetworkFilter filter = NetworkFilterDecoder.Decode(name, settings, scope, scope);
        return new ExtensionSnapshot(type, filter, filter.Terminal?.Needs ?? [])
        {
            // What could not be read was told.
            Fixed = filter.Terminal is not null && LiveRoutes.Without(settings) is { } rest ? FilterChainDecoder.Digest(rest) : null,
        };
    }

    /// <summary>Routes have their meaning by who asks for them: each of them compiles its own.</summary>
    private static ExtensionSnapshot Routes(Any typed, IEnumerable<ResourceNeed> askers, DecodeScope scope)
    {
        RouteConfig? routes = TypedConfig.Unpack<RouteConfig>(typed, scope);
        foreach (ResourceNeed asker in askers)
        {
            if (routes is not null)
            {
                asker.Routes?.Check(routes, scope);
            }
        }

        return new ExtensionSnapshot(RoutesType, default, []) { Routes = routes };
    }

    private static void CheckPlace(ExtensionSnapshot extension, ResourceNeed asker, DecodeScope scope)
    {
        if (!asker.Types.Contains(extension.Type))
        {
            scope.Error($"is a '{extension.Type}', which is none of type_urls");
        }
        else if (extension.Type.StartsWith(ListenerFilters, StringComparison.Ordinal) != asker.IsListenerFilter)
        {
            scope.Error(asker.IsListenerFilter ? "is a network filter's, where a listener filter asks for settings" : "is a listener filter's, where a network filter asks for settings");
        }
        else if (extension.Filter.IsTerminal != asker.IsLast)
        {
            scope.Error(asker.IsLast ? "is not terminal, and the filter is the last of its chain" : "is terminal, and the filter is not the last of its chain");
        }
    }
}
