using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config;

/// <summary>Writes /config_dump in the shape of <c>envoy.admin.v3.ConfigDump</c>.</summary>
internal sealed class ConfigDumpWriter(Utf8JsonWriter writer, string? resource, Func<string, bool> wanted)
{
    /// <summary>The version accepted last, by type.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>();

    /// <summary>Listeners that are accepted and not open, by name.</summary>
    public IReadOnlyDictionary<string, BindingFailure> Unbound { get; init; } = new Dictionary<string, BindingFailure>();

    /// <summary>Resources asked for by name, whether they came or not.</summary>
    public IReadOnlyList<ResourceKey> Requested { get; init; } = [];

    public void Write(
        IMessage? bootstrap, DateTimeOffset updated, IReadOnlyList<RunningResource> running, IReadOnlyList<RejectedResource> rejected)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("configs");
        if (bootstrap is not null && resource is null or "bootstrap")
        {
            WriteBootstrap(bootstrap, updated);
        }

        WriteType("ClustersConfigDump", "clusters", "cluster", TypeUrls.Cluster, running, rejected);
        WriteType("ListenersConfigDump", "listeners", "listener", TypeUrls.Listener, running, rejected);
        WriteType("EndpointsConfigDump", "endpoint_configs", "endpoint_config", TypeUrls.Endpoints, running, rejected);
        if (running.Any(static one => one.TypeUrl == TypeUrls.NameTable) || rejected.Any(static one => one.TypeUrl == TypeUrls.NameTable))
        {
            WriteType("NameTablesConfigDump", "name_tables", "name_table", TypeUrls.NameTable, running, rejected);
        }

        new DiscoveredDumpWriter(writer, resource, wanted, Requested).Write(running, rejected);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private void WriteBootstrap(IMessage? bootstrap, DateTimeOffset updated)
    {
        writer.WriteStartObject();
        writer.WriteString("@type", "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump");
        writer.WritePropertyName("bootstrap");
        MessageJson.Write(writer, bootstrap!, null);
        WriteTime("last_updated", updated);
        writer.WriteEndObject();
    }

    private void WriteType(
        string dump, string plural, string singular, string typeUrl, IReadOnlyList<RunningResource> running, IReadOnlyList<RejectedResource> rejected)
    {
        List<RunningResource> own = [.. running.Where(one => one.TypeUrl == typeUrl && wanted(one.Name)).OrderBy(one => one.Name, StringComparer.Ordinal)];
        List<RejectedResource> errors = [.. rejected.Where(one => one.TypeUrl == typeUrl && wanted(one.Name)).OrderBy(one => one.Name, StringComparer.Ordinal)];
        string statics = "static_" + plural;
        string dynamics = typeUrl == TypeUrls.Cluster ? "dynamic_active_clusters" : "dynamic_" + plural;
        if (resource is not null && resource != statics && resource != dynamics && resource != "dynamic_" + plural)
        {
            return;
        }

        writer.WriteStartObject();
        writer.WriteString("@type", $"type.googleapis.com/{(typeUrl == TypeUrls.NameTable ? "meshl4.admin.v1" : "envoy.admin.v3")}.{dump}");
        if (typeUrl != TypeUrls.Endpoints && Versions.TryGetValue(typeUrl, out string? version))
        {
            writer.WriteString("version_info", version);
        }

        if (resource is null || resource == statics)
        {
            WriteStatic(statics, singular, typeUrl, own);
        }

        if (resource != statics)
        {
            WriteDynamic(dynamics, singular, typeUrl, own, errors);
        }

        writer.WriteEndObject();
    }

    private void WriteStatic(string list, string singular, string typeUrl, List<RunningResource> own)
    {
        writer.WriteStartArray(list);
        foreach (RunningResource one in own.Where(one => one.Source == ResourceTable<object>.StaticSource))
        {
            writer.WriteStartObject();
            writer.WritePropertyName(singular);
            IMessage message = one.Stored.Read();
            MessageJson.Write(writer, message, typeUrl);
            WriteTime("last_updated", one.Updated);
            WriteRefusing(message);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private void WriteDynamic(string list, string singular, string typeUrl, List<RunningResource> own, List<RejectedResource> errors)
    {
        bool listeners = typeUrl == TypeUrls.Listener;
        writer.WriteStartArray(list);
        Dictionary<ResourceKey, RunningResource> running = own.ToDictionary(static one => one.Key);
        Dictionary<ResourceKey, RejectedResource> refused = errors.ToDictionary(static one => one.Key);
        IEnumerable<ResourceKey> keys = own.Where(one => one.Source != ResourceTable<object>.StaticSource).Select(static one => one.Key)
            .Union(errors.Select(static error => error.Key));
        foreach (ResourceKey key in keys)
        {
            writer.WriteStartObject();
            writer.WriteString("name", key.Name);
            if (running.GetValueOrDefault(key) is { } runs)
            {
                WriteRunning(runs, singular, typeUrl, listeners);
            }

            if (refused.GetValueOrDefault(key) is { } error)
            {
                WriteError(error);
            }
            else if (listeners && Unbound.TryGetValue(key.Name, out BindingFailure? failure))
            {
                WriteError(failure);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>A running listener stands in <c>active_state</c>, or in <c>warming_state</c> while its address cannot be bound; the
    /// other types stand beside their version.</summary>
    private void WriteRunning(RunningResource runs, string singular, string typeUrl, bool listeners)
    {
        if (listeners)
        {
            writer.WriteStartObject(Unbound.ContainsKey(runs.Name) ? "warming_state" : "active_state");
        }

        writer.WriteString("version_info", runs.Version);
        writer.WritePropertyName(singular);
        IMessage message = runs.Stored.Read();
        MessageJson.Write(writer, message, typeUrl);
        WriteTime("last_updated", runs.Updated);
        WriteRefusing(message);
        if (listeners)
        {
            writer.WriteEndObject();
        }
    }

    /// <summary>The parts that are accepted and refuse their connections.</summary>
    private void WriteRefusing(IMessage message)
    {
        WritePlaces("meshl4_tls_unsupported", [.. TlsPlaces.Of(message)]);
        WritePlaces("meshl4_http_filter_unsupported", [.. HttpFilterPlaces.Of(message)]);
    }

    private void WritePlaces(string list, string[] places)
    {
        if (places.Length == 0)
        {
            return;
        }

        writer.WriteStartArray(list);
        Array.ForEach(places, writer.WriteStringValue);
        writer.WriteEndArray();
    }

    private void WriteError(RejectedResource error) => WriteError(writer, error);

    /// <summary>The refusal beside what runs.</summary>
    internal static void WriteError(Utf8JsonWriter writer, RejectedResource error)
    {
        writer.WriteStartObject("error_state");
        if (error.Stored is { } stored)
        {
            writer.WritePropertyName("failed_configuration");
            MessageJson.Write(writer, stored.Read(), error.TypeUrl);
        }

        WriteTime(writer, "last_update_attempt", error.At);
        writer.WriteString("details", string.Join('\n', error.Reasons));
        writer.WriteString("version_info", error.Version);
        writer.WriteEndObject();
    }

    private void WriteError(BindingFailure failure)
    {
        writer.WriteStartObject("error_state");
        WriteTime("last_update_attempt", failure.At);
        writer.WriteString("details", failure.Reason);
        writer.WriteEndObject();
    }

    private void WriteTime(string name, DateTimeOffset time) => WriteTime(writer, name, time);

    internal static void WriteTime(Utf8JsonWriter writer, string name, DateTimeOffset time)
        => writer.WriteString(name, time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
}
