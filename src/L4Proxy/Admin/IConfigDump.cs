using System.Text.Json;

namespace MeshL4.L4Proxy.Admin;

/// <summary>The configuration as it is held, for <c>/config_dump</c>: what runs, and what was rejected and why.</summary>
internal interface IConfigDump
{
    /// <summary>Writes one JSON object (<c>{"configs": [...]}</c>). Runs on a pool thread; private keys are left out.</summary>
    /// <param name="w">Takes the object; the caller flushes.</param>
    /// <param name="resource">Only this repeated field, such as <c>dynamic_listeners</c>; null for all.</param>
    /// <param name="nameRegex">Only resources whose name this matches as a whole; checked to compile without backtracking; null for all.</param>
    void WriteDump(Utf8JsonWriter w, string? resource, string? nameRegex);
}
