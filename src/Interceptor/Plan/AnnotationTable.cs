namespace MeshL4.Interceptor.Plan;

/// <summary>Which annotation of a pod stands for which flag.</summary>
internal static class AnnotationTable
{
    /// <summary>Istio's for its redirect rules: every one of these has a meaning here.</summary>
    public const string Istio = "traffic.sidecar.istio.io/";

    /// <summary>Linkerd's for everything.</summary>
    public const string Linkerd = "config.linkerd.io/";

    /// <summary>Istio's for the mode; its other annotations of this prefix are about the sidecar.</summary>
    public const string Mode = "sidecar.istio.io/interceptionMode";

    /// <summary>What Istio adds to every pod's excluded inbound ports: metrics and readiness; and the agent's status, see <see cref="StatusPort"/>.</summary>
    public const string OwnPorts = "15090,15021";

    /// <summary>Istio's for the port of the agent's status, to which the kubelet's probes go; "0" or nothing for none.</summary>
    public const string StatusPort = "status.sidecar.istio.io/port";

    /// <summary>The port without <see cref="StatusPort"/>.</summary>
    public const string DefaultStatusPort = "15020";

    /// <summary>The annotation that <see cref="OwnPorts"/> belong to.</summary>
    public const string ExcludedInboundPorts = Istio + "excludeInboundPorts";

    /// <summary>Flag by annotation.</summary>
    public static IReadOnlyDictionary<string, string> Flags { get; } = new Dictionary<string, string>
    {
        [Mode] = "istio-inbound-interception-mode",
        [Istio + "includeInboundPorts"] = "istio-inbound-ports",
        [ExcludedInboundPorts] = "istio-local-exclude-ports",
        [Istio + "includeOutboundIPRanges"] = "istio-service-cidr",
        [Istio + "excludeOutboundIPRanges"] = "istio-service-exclude-cidr",
        [Istio + "includeOutboundPorts"] = "istio-outbound-ports",
        [Istio + "excludeOutboundPorts"] = "istio-local-outbound-ports-exclude",
        [Istio + "excludeInterfaces"] = "istio-exclude-interfaces",
        [Istio + "kubevirtInterfaces"] = "kube-virt-interfaces",
        ["istio.io/reroute-virtual-interfaces"] = "kube-virt-interfaces",
        [Linkerd + "inbound-port"] = "inbound-capture-port",
        [Linkerd + "outbound-port"] = "envoy-port",
        [Linkerd + "proxy-uid"] = "proxy-uid",
        [Linkerd + "proxy-gid"] = "proxy-gid",
        [Linkerd + "skip-inbound-ports"] = "istio-local-exclude-ports",
        [Linkerd + "skip-outbound-ports"] = "istio-local-outbound-ports-exclude",
        [Linkerd + "skip-subnets"] = "subnets-to-ignore",
    };

    /// <summary>Linkerd's ports that its injector always excludes from inbound, with the annotation that moves each: control and metrics.</summary>
    public static IReadOnlyDictionary<string, string> LinkerdsPorts { get; } = new Dictionary<string, string>
    {
        [Linkerd + "control-port"] = "4190",
        [Linkerd + "admin-port"] = "4191",
    };

    /// <summary>Is an unknown annotation of Linkerd's most likely one about redirection, misspelt? Its others grow with every release.</summary>
    public static bool IsMisspelt(string key) =>
        key.StartsWith(Linkerd + "skip-", StringComparison.OrdinalIgnoreCase)
        || Flags.Keys.Concat(LinkerdsPorts.Keys).Any(k => k.StartsWith(Linkerd, StringComparison.Ordinal) && EditDistance.Of(k, key.ToLowerInvariant()) <= 2);

    /// <summary>Linkerd's that are about its proxy and control plane, not about redirection.</summary>
    public static IReadOnlySet<string> Elsewhere { get; } = new HashSet<string>(new[]
    {
        "access-log", "close-wait-timeout", "debug-image", "debug-image-pull-policy", "debug-image-version",
        "default-inbound-policy", "enable-debug-sidecar", "enable-external-profiles", "enable-gateway", "image-pull-policy", "init-image",
        "init-image-version", "opaque-ports", "pod-inbound-ports", "proxy-admin-shutdown", "proxy-await", "proxy-cpu-limit",
        "proxy-cpu-ratio-limit", "proxy-cpu-request", "proxy-disable-inbound-protocol-detect-timeout",
        "proxy-disable-outbound-protocol-detect-timeout", "proxy-ephemeral-storage-limit", "proxy-ephemeral-storage-request", "proxy-image",
        "proxy-inbound-connect-timeout", "proxy-inbound-discovery-cache-unused-timeout", "proxy-log-format", "proxy-log-http-headers",
        "proxy-log-level", "proxy-memory-limit", "proxy-memory-request", "proxy-outbound-connect-timeout",
        "proxy-outbound-discovery-cache-unused-timeout", "proxy-require-identity-inbound-ports", "proxy-version", "shutdown-grace-period",
    }.Select(name => Linkerd + name));
}
