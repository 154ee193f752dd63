using System.Globalization;
using MeshL4.L4Proxy.Reporting.Metrics;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/memory</c>: bytes, as strings like every 64-bit number of protobuf's JSON.</summary>
internal sealed class MemoryPage : IAdminPage
{
    public string Path => "/memory";

    public string Help => "print current allocation/heap usage";

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
                json.WriteString(name, bytes.ToString(CultureInfo.InvariantCulture));
            }

            json.WriteEndObject();
        });
    }
}
