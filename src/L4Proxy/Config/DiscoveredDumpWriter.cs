using System.Text.Json;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config;

/// <summary>
/// Writes the parts of /config_dump for what others name: <c>RoutesConfigDump</c>, <c>SecretsConfigDump</c> and <c>EcdsConfigDump</c> of
/// <c>envoy.admin.v3</c>. What was asked for and did not come stands there with its name.
/// </summary>
internal sealed class DiscoveredDumpWriter(
    Utf8JsonWriter writer, string? resource, Func<string, bool> wanted, IReadOnlyList<ResourceKey> requested)
{
    public void Write(IReadOnlyList<RunningResource> running, IReadOnlyList<RejectedResource> rejected)
    {
        WriteDump("RoutesConfigDump", TypeUrls.Routes, running, rejected, ("dynamic_route_configs", "route_config", static _ => true));
        WriteDump(
            "SecretsConfigDump", TypeUrls.Secret, running, rejected,
            ("static_secrets", "secret", static runs => runs?.Source == ResourceTable<object>.StaticSource),
            ("dynamic_active_secrets", "secret", static runs => runs is not null && runs.Source != ResourceTable<object>.StaticSource),
            ("dynamic_warming_secrets", "secret", static runs => runs is null));
        WriteDump("EcdsConfigDump", TypeUrls.ExtensionConfig, running, rejected, ("ecds_filters", "ecds_filter", static _ => true));
    }

    private void WriteDump(
        string dump,
        string typeUrl,
        IReadOnlyList<RunningResource> running,
        IReadOnlyList<RejectedResource> rejected,
        params (string Name, string Member, Func<RunningResource?, bool> Takes)[] lists)
    {
        (string Name, string Member, Func<RunningResource?, bool> Takes)[] shown = [.. lists.Where(list => resource is null || resource == list.Name)];
        if (shown.Length == 0)
        {
            return;
        }

        Dictionary<ResourceKey, RunningResource> runs = running.Where(one => one.TypeUrl == typeUrl).ToDictionary(static one => one.Key);
        Dictionary<ResourceKey, RejectedResource> errors = rejected.Where(one => one.TypeUrl == typeUrl).ToDictionary(static one => one.Key);
        List<ResourceKey> keys = [.. runs.Keys.Union(errors.Keys).Union(requested.Where(one => one.TypeUrl == typeUrl)).Where(key => wanted(key.Name))
            .OrderBy(static key => key.Name, StringComparer.Ordinal).ThenBy(static key => key.Source, StringComparer.Ordinal)];
        writer.WriteStartObject();
        writer.WriteString("@type", "type.googleapis.com/envoy.admin.v3." + dump);
        foreach ((string list, string member, Func<RunningResource?, bool> takes) in shown)
        {
            writer.WriteStartArray(list);
            foreach (ResourceKey key in keys.Where(key => takes(runs.GetValueOrDefault(key))))
            {
                WriteOne(typeUrl, key.Name, member, runs.GetValueOrDefault(key), errors.GetValueOrDefault(key));
            }

            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private void WriteOne(string typeUrl, string name, string member, RunningResource? runs, RejectedResource? error)
    {
        writer.WriteStartObject();
        writer.WriteString("name", name);
        if (runs is not null)
        {
            writer.WriteString("version_info", runs.Version);
            writer.WritePropertyName(member);
            MessageJson.Write(writer, runs.Stored.Read(), typeUrl);
            ConfigDumpWriter.WriteTime(writer, "last_updated", runs.Updated);
        }

        if (error is not null)
        {
            ConfigDumpWriter.WriteError(writer, error);
        }

        writer.WriteString("client_status", error is not null ? "NACKED" : runs is not null ? "ACKED" : "REQUESTED");
        writer.WriteEndObject();
    }
}
