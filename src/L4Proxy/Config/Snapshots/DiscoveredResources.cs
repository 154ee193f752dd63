using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Route.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>
/// The resources that others name: route configurations, secrets and the settings of filters. Knows which of them came, and which are
/// waited for no longer.
/// </summary>
/// <param name="askersOf">The filters that name these settings.</param>
internal sealed class DiscoveredResources(Func<ResourceKey, IEnumerable<ResourceNeed>> askersOf)
{
    /// <summary>The types kept here, in the order in which they are asked for.</summary>
    public static readonly string[] Types = [TypeUrls.ExtensionConfig, TypeUrls.Routes, TypeUrls.Secret];

    private readonly SourcedTables<HttpRoutesConfig> _routes = new(
        TypeUrls.Routes, static message => ((RouteConfiguration)message).Name,
        static (_, message, scope) => HttpRoutesDecoder.Decode((RouteConfiguration)message, scope));

    private readonly SourcedTables<SecretConfig> _secrets = new(
        TypeUrls.Secret, static message => ((Secret)message).Name, static (_, message, scope) => SecretDecoder.Decode((Secret)message, scope));

    private readonly SourcedTables<ExtensionSnapshot> _extensions = new(
        TypeUrls.ExtensionConfig, static message => ((TypedExtensionConfig)message).Name,
        (source, message, scope) => ExtensionDecoder.Decode(
            (TypedExtensionConfig)message, askersOf(ResourceKey.Of(TypeUrls.ExtensionConfig, source, ((TypedExtensionConfig)message).Name)), scope));

    private readonly HashSet<ResourceKey> _settled = [];

    /// <summary>Grows with every change of what came or is waited for.</summary>
    public long Version { get; private set; }

    /// <summary>Applies an update of one of <see cref="Types"/>.</summary>
    public AppliedUpdate Apply(ResourceUpdate update)
    {
        AppliedUpdate applied = update.TypeUrl switch
        {
            TypeUrls.Routes => _routes.Apply(update),
            TypeUrls.Secret => _secrets.Apply(update),
            _ => _extensions.Apply(update),
        };

        // One that went has been there, and one that was refused has been answered: neither is waited for.
        Settle(update.TypeUrl, update.Source, applied.Dropped);
        Settle(
            update.TypeUrl, update.Source,
            update.Resources.Select(static one => one.Name).Where(name => update.Issues.HasErrorsIn($"{TypeUrls.ShortName(update.TypeUrl)}/{name}")));
        Version += applied.Changed.Count + applied.Dropped.Count > 0 ? 1 : 0;
        return applied;
    }

    /// <summary>Whether a resource is still waited for.</summary>
    public bool Lacks(ResourceNeed need) => !Has(need) && !_settled.Contains(need.Key);

    /// <summary>The settings of a filter, compiled; null when they did not come, or do not fit the filter.</summary>
    public ExtensionSnapshot? Extension(ResourceNeed need)
        => _extensions.Find(need.Source, need.Name) is { } held && ExtensionDecoder.Fits(held.Compiled, need) ? held.Compiled : null;

    /// <summary>Waits no longer for these of a source.</summary>
    public void Settle(string typeUrl, string source, IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            if (_settled.Add(ResourceKey.Of(typeUrl, source, name)))
            {
                Version++;
            }
        }
    }

    /// <summary>Nobody names these any more: who does so again waits again.</summary>
    public void Forget(string typeUrl, string source, IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            _settled.Remove(ResourceKey.Of(typeUrl, source, name));
        }

        Version++;
    }

    private bool Has(ResourceNeed need) => need.TypeUrl switch
    {
        TypeUrls.Routes => _routes.Find(need.Source, need.Name) is not null,
        TypeUrls.Secret => _secrets.Find(need.Source, need.Name) is not null,
        _ => _extensions.Find(need.Source, need.Name) is not null,
    };
}
