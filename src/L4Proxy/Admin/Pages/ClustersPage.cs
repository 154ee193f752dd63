using System.Text;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/clusters</c>: limits of each cluster, counters of each endpoint, one <c>cluster::what::value</c> a line; <c>?format=json</c>.</summary>
internal sealed class ClustersPage : IAdminPage
{
    public string Path => "/clusters";

    public string Help => "upstream cluster status (?format=json)";

    public async Task ServeAsync(HttpContext http, AdminContext context)
    {
        IEnumerable<ClusterSnapshot> clusters = context.Snapshots.Current.Clusters.Values.OrderBy(static c => c.Name, StringComparer.Ordinal);
        if (http.WantsJson())
        {
            await http.JsonAsync(json => ClustersJson.Write(json, clusters));
            return;
        }

        http.Response.ContentType = "text/plain; charset=UTF-8";
        StringBuilder text = new();
        foreach (ClusterSnapshot cluster in clusters)
        {
            AppendCluster(text, cluster);
            foreach (EndpointSnapshot endpoint in EndpointsOf(cluster))
            {
                AppendEndpoint(text, cluster, endpoint);
                await http.SendAsync(text);
            }
        }

        await http.SendAsync(text, last: true);
    }

    /// <summary>Configured endpoints; for original-destination clusters those met so far.</summary>
    public static IEnumerable<EndpointSnapshot> EndpointsOf(ClusterSnapshot cluster) =>
        cluster.Discovery == ClusterDiscovery.OriginalDestination
            ? cluster.State.Endpoints.Select(static state => new EndpointSnapshot(state.Address, "", 1, EndpointHealth.Unknown, state))
            : cluster.Endpoints;

    private static void AppendCluster(StringBuilder text, ClusterSnapshot cluster)
    {
        string name = LogEscape.EscapeControls(cluster.Name);
        text.Append(name).Append("::observability_name::").Append(name).Append('\n');
        Append(text, name, "default_priority::max_connections", cluster.Limits.MaxConnections);
        Append(text, name, "default_priority::max_pending_requests", cluster.Limits.MaxPendingRequests);
        Append(text, name, "default_priority::max_requests", cluster.Limits.MaxRequests);
        Append(text, name, "default_priority::max_retries", cluster.Limits.MaxRetries);
        Append(text, name, "upstream_cx_active", cluster.State.ActiveConnections);
    }

    private static void AppendEndpoint(StringBuilder text, ClusterSnapshot cluster, EndpointSnapshot endpoint)
    {
        string host = $"{LogEscape.EscapeControls(cluster.Name)}::{AddressText.WithPort(endpoint.Address)}";
        Append(text, host, "cx_active", endpoint.State.Active);
        Append(text, host, "cx_connect_fail", endpoint.State.ConnectFail);
        Append(text, host, "cx_total", endpoint.State.Total);
        text.Append(host).Append("::hostname::").Append(LogEscape.EscapeControls(endpoint.Hostname)).Append('\n');
        text.Append(host).Append("::health_flags::").Append(FlagsOf(endpoint)).Append('\n');
        Append(text, host, "weight", endpoint.Weight);
        text.Append(host).Append("::canary::false\n").Append(host).Append("::priority::").Append(endpoint.Group.Priority).Append('\n');
    }

    private static string FlagsOf(EndpointSnapshot endpoint)
    {
        string configured = endpoint.Health switch
        {
            _ when endpoint.RequiresTls => "/tls_unsupported",
            EndpointHealth.Degraded => "/degraded_eds_health",
            _ => endpoint.Offered ? "" : "/failed_eds_health",
        };
        string flags = (endpoint.State.FailsChecks ? "/failed_active_hc" : "") + configured;
        return flags.Length > 0 ? flags : "healthy";
    }

    private static void Append(StringBuilder text, string subject, string what, long value) =>
        text.Append(subject).Append("::").Append(what).Append("::").Append(value).Append('\n');
}
