using System.Globalization;
using System.Text.Json;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary>Clusters in the JSON shape of <c>envoy.admin.v3.Clusters</c>: what istioctl reads.</summary>
internal static class ClustersJson
{
    public static void Write(Utf8JsonWriter json, IEnumerable<ClusterSnapshot> clusters)
    {
        json.WriteStartObject();
        json.WriteStartArray("cluster_statuses");
        foreach (ClusterSnapshot cluster in clusters)
        {
            json.WriteStartObject();
            json.WriteString("name", cluster.Name);
            json.WriteString("observability_name", cluster.Name);
            WriteHosts(json, cluster);
            WriteLimits(json, cluster.Limits);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteHosts(Utf8JsonWriter json, ClusterSnapshot cluster)
    {
        json.WriteStartArray("host_statuses");
        foreach (EndpointSnapshot endpoint in ClustersPage.EndpointsOf(cluster))
        {
            json.WriteStartObject();
            AddressJson.Write(json, "address", endpoint.Address);
            json.WriteStartArray("stats");
            WriteStat(json, "cx_connect_fail", endpoint.State.ConnectFail, null);
            WriteStat(json, "cx_total", endpoint.State.Total, null);
            WriteStat(json, "cx_active", endpoint.State.Active, "GAUGE");
            json.WriteEndArray();
            json.WriteStartObject("health_status");
            json.WriteString("eds_health_status", HealthOf(endpoint.Health));
            if (endpoint.State.FailsChecks)
            {
                json.WriteBoolean("failed_active_health_check", true);
            }

            json.WriteEndObject();
            json.WriteNumber("weight", endpoint.Weight);
            json.WriteString("hostname", endpoint.Hostname);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteStat(Utf8JsonWriter json, string name, long value, string? type)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("value", value.ToString(CultureInfo.InvariantCulture));
        if (type is not null)
        {
            json.WriteString("type", type);
        }

        json.WriteEndObject();
    }

    private static void WriteLimits(Utf8JsonWriter json, CircuitBreakerLimits limits)
    {
        json.WriteStartObject("circuit_breakers");
        json.WriteStartArray("thresholds");
        json.WriteStartObject();
        json.WriteNumber("max_connections", limits.MaxConnections);
        json.WriteNumber("max_pending_requests", limits.MaxPendingRequests);
        json.WriteNumber("max_requests", limits.MaxRequests);
        json.WriteNumber("max_retries", limits.MaxRetries);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>As istioctl's endpoint view expects it: an endpoint nobody judged counts as healthy.</summary>
    private static string HealthOf(EndpointHealth health) => health switch
    {
        EndpointHealth.Unknown or EndpointHealth.Healthy => "HEALTHY",
        EndpointHealth.Unhealthy => "UNHEALTHY",
        EndpointHealth.Draining => "DRAINING",
        EndpointHealth.Timeout => "TIMEOUT",
        _ => "DEGRADED",
    };
}
