using System.Collections.Frozen;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>
/// HTTP filters that refuse requests. What they would refuse is not known here, and handing the connection over without them
/// would open what their author meant to close. A filter is known by its type; its name is free, and counts where it says enough.
/// </summary>
internal static class GuardingHttpFilters
{
    private const string Package = "envoy.extensions.filters.http.";

    private static readonly FrozenSet<string> Kinds = FrozenSet.ToFrozenSet(
    [
        "rbac", "jwt_authn", "ext_authz", "oauth2", "basic_auth", "api_key_auth", "ratelimit", "local_ratelimit", "rate_limit_quota", "csrf",
    ]);

    /// <summary>Places of the filters among <c>http_filters</c>; those switched off do not count.</summary>
    public static IEnumerable<int> PlacesIn(HttpConnectionManager manager)
    {
        for (int i = 0; i < manager.HttpFilters.Count; i++)
        {
            if (!manager.HttpFilters[i].Disabled && Guards(manager.HttpFilters[i]))
            {
                yield return i;
            }
        }
    }

    /// <summary>One that is to be discovered guards when it may come to be one that does.</summary>
    private static bool Guards(HttpFilter filter)
        => Kinds.Contains(filter.Name.StartsWith("envoy.filters.http.", StringComparison.Ordinal) ? filter.Name["envoy.filters.http.".Length..] : "")
            || IsGuard(TypedConfig.TypeName(filter.TypedConfig))
            || filter.ConfigDiscovery?.TypeUrls.Any(static url => IsGuard(MessageTypes.NameOf(url))) == true;

    private static bool IsGuard(string type)
        => type.StartsWith(Package, StringComparison.Ordinal) && Kinds.Contains(type[Package.Length..].Split('.')[0]);
}
