using System.Globalization;
using System.Text.Json;
using MeshL4.L4Proxy.Reporting.Metrics;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary>
/// <c>/memory</c>: Envoy's fields for the process, then what each resource type, each loop and the collector account for. Bytes are
/// strings, like every 64-bit number of protobuf's JSON.
/// </summary>
internal sealed class MemoryPage : IAdminPage
{
    public string Path => "/memory";

    public string Help => "print memory: heap, resident, by resource type, by loop";

    public Task ServeAsync(HttpContext http, AdminContext context)
    {
        ProcessMemory memory = ProcessMemory.Read();
        return http.JsonAsync(json =>
        {
            json.WriteStartObject();
            foreach ((string name, long bytes) in (ReadOnlySpan<(string, long)>)
                [
                    ("allocated", memory.HeapInUse), ("heap_size", memory.HeapCommitted), ("total_physical_bytes", memory.Resident),
                    ("large_object_heap", memory.LargeObjects), ("pinned_object_heap", memory.Pinned),
                    ("allocated_since_start", memory.Allocated),
                ])
            {
                Write(json, name, bytes);
            }

            WriteResources(json, context.Resources());
            WriteLoops(json, context.Loops());
            WriteCollector(json);
            json.WriteEndObject();
        });
    }

    private static void WriteResources(Utf8JsonWriter json, IEnumerable<ResourceMemory> resources)
    {
        json.WriteStartArray("resources");
        foreach (ResourceMemory one in resources)
        {
            json.WriteStartObject();
            json.WriteString("type_url", one.TypeUrl);
            json.WriteNumber("count", one.Count);
            Write(json, "wire_bytes", one.Wire);
            Write(json, "stored_bytes", one.Stored);
            Write(json, "compiled_bytes", one.Compiled);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteLoops(Utf8JsonWriter json, IEnumerable<LoopMemoryUse> loops)
    {
        json.WriteStartArray("loops");
        foreach (LoopMemoryUse one in loops)
        {
            json.WriteStartObject();
            json.WriteNumber("buffers", one.Buffers);
            Write(json, "buffer_bytes", one.Bytes);
            json.WriteNumber("splice_pipes", one.Pipes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Pauses stop every thread, the loops too.</summary>
    private static void WriteCollector(Utf8JsonWriter json)
    {
        json.WriteStartObject("collector");
        json.WriteStartArray("collections");
        for (int generation = 0; generation <= GC.MaxGeneration; generation++)
        {
            json.WriteNumberValue(GC.CollectionCount(generation));
        }

        json.WriteEndArray();
        json.WriteNumber("paused_ms", Milliseconds(GC.GetTotalPauseDuration()));
        foreach ((string name, GCKind kind) in (ReadOnlySpan<(string, GCKind)>)
            [("last_pause_ms", GCKind.Any), ("last_background_pause_ms", GCKind.Background), ("last_full_blocking_pause_ms", GCKind.FullBlocking)])
        {
            ReadOnlySpan<TimeSpan> pauses = GC.GetGCMemoryInfo(kind).PauseDurations;
            json.WriteNumber(name, pauses.IsEmpty ? 0 : Milliseconds(pauses[0] > pauses[^1] ? pauses[0] : pauses[^1]));
        }

        json.WriteEndObject();
    }

    private static double Milliseconds(TimeSpan time) => Math.Round(time.TotalMilliseconds, 3);

    private static void Write(Utf8JsonWriter json, string name, long bytes) => json.WriteString(name, bytes.ToString(CultureInfo.InvariantCulture));
}
