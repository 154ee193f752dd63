using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/init_dump</c>: what is waited for, in the JSON shape of <c>envoy.admin.v3.UnreadyTargetsDumps</c>.</summary>
internal sealed class InitDumpPage : IAdminPage
{
    public string Path => "/init_dump";

    public string Help => "dump what the start and warming clusters wait for";

    public Task ServeAsync(HttpContext http, AdminContext context) => http.JsonAsync(json =>
    {
        json.WriteStartObject();
        json.WriteStartArray("unready_targets_dumps");
        foreach ((string name, IReadOnlyList<string> targets) in context.Unready().Where(one => one.Value.Count > 0))
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteStartArray("target_names");
            foreach (string target in targets)
            {
                json.WriteStringValue(target);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    });
}
