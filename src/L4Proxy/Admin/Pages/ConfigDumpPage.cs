using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/config_dump</c>: what runs and what was rejected; <c>?resource=</c>, <c>?name_regex=</c>.</summary>
internal sealed class ConfigDumpPage : IAdminPage
{
    public string Path => "/config_dump";

    public string Help => "dump current configuration, and what was rejected (?resource=, ?name_regex=)";

    public Task ServeAsync(HttpContext http, AdminContext context)
    {
        string? pattern = http.Query("name_regex");
        if (!AdminRegex.TryCompile(pattern, out _, out string error))
        {
            return http.TextAsync($"invalid name_regex: {error}\n", 400);
        }

        return http.JsonAsync(json =>
        {
            if (context.ConfigDump is { } dump)
            {
                dump.WriteDump(json, Given(http.Query("resource")), Given(pattern));
                return;
            }

            json.WriteStartObject();
            json.WriteStartArray("configs");
            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private static string? Given(string? value) => string.IsNullOrEmpty(value) ? null : value;
}
