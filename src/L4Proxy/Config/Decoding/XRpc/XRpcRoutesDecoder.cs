using System.Collections.Immutable;
using System.Text;
using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Filtering;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>Compiles <c>meshl4.xrpc.v1.RouteConfig</c>.</summary>
internal static class XRpcRoutesDecoder
{
    /// <summary>The routes that could be compiled; errors in the scope say whether they may be used.</summary>
    /// <param name="config">Routes in the order they are tried.</param>
    /// <param name="codec">Whose methods and metadata conditions name.</param>
    /// <param name="defaults">Policies of routes that have none of their own.</param>
    /// <param name="scope">Place of <paramref name="config"/>.</param>
    public static XRpcRouteTable Decode(RouteConfig config, CodecVocabulary codec, XRpcPoliciesSnapshot defaults, DecodeScope scope)
    {
        if (config.Routes.Count == 0)
        {
            scope.Field("routes").Error("must not be empty");
        }

        var routes = ImmutableArray.CreateBuilder<XRpcRouteSnapshot>(config.Routes.Count);
        var limits = ImmutableDictionary.CreateBuilder<string, TokenBucket>(StringComparer.Ordinal);
        var prefixes = new HashSet<string>(config.CaseInsensitiveKeyPrefixes ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);
        for (int i = 0; i < config.Routes.Count; i++)
        {
            DecodeScope at = scope.Item("routes", i);
            XRpcRouteSnapshot route = One(config.Routes[i], i, codec, defaults, at);
            if (route.Match.IsKeyPrefixOnly && !prefixes.Add(config.Routes[i].Match?.KeyPrefix ?? ""))
            {
                at.Field("match").Error("an earlier route takes the same requests");
            }

            routes.Add(route);
            if (route.Policies.RateLimit is { } limit)
            {
                limits.TryAdd(ReferenceEquals(limit, defaults.RateLimit) ? "" : PlaceOf(config.Routes[i]), limit);
            }
        }

        return new XRpcRouteTable(routes.ToImmutable(), config.CaseInsensitiveKeyPrefixes)
        {
            NeedsWholeFrames = routes.Any(codec.NeedsWholeFrames),
            RateLimits = limits.ToImmutable(),
            RequestLog = defaults.RequestLog,
        };
    }

    /// <summary>What a route is known by from one update to the next: its number changes with those before it.</summary>
    private static string PlaceOf(Route route) => $"{route.Name} {route.Match}";

    /// <summary>Metadata conditions, those of authorization rules too.</summary>
    public static ImmutableArray<XRpcMetadataMatch> Metadata(RepeatedField<MetadataMatch> matches, CodecVocabulary codec, DecodeScope scope)
    {
        var decoded = ImmutableArray.CreateBuilder<XRpcMetadataMatch>(matches.Count);
        for (int i = 0; i < matches.Count; i++)
        {
            DecodeScope at = scope.Item("metadata", i);
            if (matches[i].Name.Length == 0)
            {
                at.Field("name").Error("is required");
            }
            else
            {
                codec.CheckMetadata(matches[i].Name, at.Field("name"));
            }

            decoded.Add(new XRpcMetadataMatch(
                matches[i].Name,
                matches[i].Value is { } value ? StringMatcherDecoder.DecodeBytes(value, at.Field("value")) : null,
                matches[i].Invert));
        }

        return decoded.ToImmutable();
    }

    /// <summary>Method names as they are compared.</summary>
    public static ImmutableArray<string> Methods(RepeatedField<string> methods, CodecVocabulary codec, DecodeScope scope, string field = "methods")
    {
        for (int i = 0; i < methods.Count; i++)
        {
            if (methods[i].Length == 0)
            {
                scope.Item(field, i).Error("must not be empty");
            }
            else
            {
                codec.CheckMethod(methods[i], scope.Item(field, i));
            }
        }

        return [.. methods.Select(static method => method.ToUpperInvariant())];
    }

    private static XRpcRouteSnapshot One(Route route, int index, CodecVocabulary codec, XRpcPoliciesSnapshot defaults, DecodeScope scope)
    {
        XRpcMatchSnapshot match = Match(route.Match ?? new Match(), codec, scope.Field("match"));
        Forward forward = route.ActionCase == Route.ActionOneofCase.Forward ? route.Forward : new Forward();
        ImmutableArray<WeightedClusterSnapshot> clusters = [];
        string? reject = null;
        switch (route.ActionCase)
        {
            case Route.ActionOneofCase.Forward:
                clusters = Clusters(forward, scope.Field("forward"));
                break;
            case Route.ActionOneofCase.Reject:
                reject = SafeText(route.Reject.Message, "rejected by the route", scope.Field("reject.message"));
                break;
            default:
                scope.Error("forward or reject is required");
                break;
        }

        if (forward.RemoveKeyPrefix && match.KeyPrefix.IsEmpty)
        {
            scope.Field("forward.remove_key_prefix").Error("needs a match.key_prefix");
        }

        if (forward.HashBy.Length > 0)
        {
            codec.CheckMetadata(forward.HashBy, scope.Field("forward.hash_by"));
        }

        return new XRpcRouteSnapshot
        {
            Name = route.Name.Length > 0 ? route.Name : $"route-{index}",
            IsNamed = route.Name.Length > 0,
            Match = match,
            Clusters = clusters,
            TotalWeight = clusters.Aggregate(0UL, static (sum, cluster) => sum + cluster.Weight),
            ReadCluster = forward.ReadCluster.Length > 0 ? forward.ReadCluster : null,
            RemoveKeyPrefix = forward.RemoveKeyPrefix,
            HashBy = forward.HashBy.Length > 0 ? forward.HashBy : null,
            RejectMessage = reject,
            Policies = XRpcPoliciesDecoder.Decode(route.Policies, defaults, codec, scope.Field("policies")),
        };
    }

    /// <summary>A text that goes into answers: one line, so that it cannot end the answer and begin another.</summary>
    public static string SafeText(string text, string missing, DecodeScope scope)
    {
        if (text.Any(char.IsControl))
        {
            scope.Error("must not hold control characters");
        }

        return text.Length > 0 ? text : missing;
    }

    private static XRpcMatchSnapshot Match(Match match, CodecVocabulary codec, DecodeScope scope)
    {
        if (match.Service is not null)
        {
            codec.CheckService(scope.Field("service"));
        }

        if (match.KeyPrefix.Length > 0)
        {
            codec.CheckKey(scope.Field("key_prefix"));
        }

        return new XRpcMatchSnapshot
        {
            Methods = Methods(match.Methods, codec, scope),
            Service = match.Service is { } service ? StringMatcherDecoder.DecodeBytes(service, scope.Field("service")) : null,
            Metadata = Metadata(match.Metadata, codec, scope),
            KeyPrefix = Encoding.UTF8.GetBytes(match.KeyPrefix),
        };
    }

    private static ImmutableArray<WeightedClusterSnapshot> Clusters(Forward forward, DecodeScope scope)
    {
        switch (forward.ClusterSpecifierCase)
        {
            case Forward.ClusterSpecifierOneofCase.Cluster when forward.Cluster.Length > 0:
                return [new WeightedClusterSnapshot(forward.Cluster, 1)];
            case Forward.ClusterSpecifierOneofCase.WeightedClusters:
                return Weighted(forward.WeightedClusters.Clusters, scope.Field("weighted_clusters"));
            default:
                scope.Error("cluster or weighted_clusters is required");
                return [];
        }
    }

    private static ImmutableArray<WeightedClusterSnapshot> Weighted(RepeatedField<Forward.Types.WeightedCluster> clusters, DecodeScope scope)
    {
        for (int i = 0; i < clusters.Count; i++)
        {
            if (clusters[i].Name.Length == 0 || clusters[i].Weight == 0)
            {
                scope.Item("clusters", i).Error("a name and a weight of at least 1 are required");
            }
        }

        if (clusters.Count == 0)
        {
            scope.Field("clusters").Error("must not be empty");
        }

        return [.. clusters.Select(static cluster => new WeightedClusterSnapshot(cluster.Name, cluster.Weight))];
    }
}
