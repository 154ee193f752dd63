using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>A collector with what every issue of one read has in common: origin, strictness and the resource being read.</summary>
internal sealed class IssueScope(IssueCollector issues, string origin, ConfigSourceKind kind)
{
    private static readonly HashSet<string> ResourceTypes =
    [
        "envoy.config.listener.v3.Listener",
        "envoy.config.cluster.v3.Cluster",
        "envoy.config.endpoint.v3.ClusterLoadAssignment",
        "envoy.config.route.v3.RouteConfiguration",
        "envoy.extensions.transport_sockets.tls.v3.Secret",
    ];

    /// <summary><c>Listener/name</c> while inside a resource.</summary>
    public string? Resource { get; private set; }

    /// <summary>True for the outermost message of a resource type: issues below it belong to it.</summary>
    public bool StartsResource(MessageDescriptor type) => Resource is null && ResourceTypes.Contains(type.FullName);

    /// <summary>Enters a resource; one without a name is called by its place.</summary>
    public void EnterResource(MessageDescriptor type, string? name, FieldPath place) =>
        Resource = $"{type.Name}/{(string.IsNullOrEmpty(name) ? place.ToString() : name)}";

    public void LeaveResource() => Resource = null;

    public void Error(FieldPath path, string message, int line = 0) => Add(IssueSeverity.Error, path, message, line);

    public void Warning(FieldPath path, string message, int line = 0) => Add(IssueSeverity.Warning, path, message, line);

    /// <summary>
    /// A field or value the API does not have: an error, unless the sender may know a newer API. Of this proxy's own messages it may not: nobody else has
    /// them, and in their policies a word that is misspelt would let everybody in.
    /// </summary>
    /// <param name="type">The message that has it.</param>
    /// <param name="path">Its place.</param>
    /// <param name="message">What to tell.</param>
    /// <param name="line">Of a text; 0 for none.</param>
    public void Unknown(MessageDescriptor type, FieldPath path, string message, int line = 0) =>
        Add(kind == ConfigSourceKind.Xds && !IsOwn(type) ? IssueSeverity.Warning : IssueSeverity.Error, path, message, line);

    private static bool IsOwn(MessageDescriptor type) => type.File.Package.StartsWith("meshl4.", StringComparison.Ordinal);

    private void Add(IssueSeverity severity, FieldPath path, string message, int line) =>
        issues.Add(new(severity, path.ToString(), message, line > 0 ? line : null, Resource, origin));
}
