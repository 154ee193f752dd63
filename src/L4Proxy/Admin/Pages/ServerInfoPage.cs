using System.Reflection;
using System.Text.Json;
using MeshL4.L4Proxy.Config.Xds;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/server_info</c>: version, state, uptime and node, in the JSON shape of <c>envoy.admin.v3.ServerInfo</c>.</summary>
internal sealed class ServerInfoPage : IAdminPage
{
    private static readonly string Version =
        typeof(ServerInfoPage).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    public string Path => "/server_info";

    public string Help => "print server version/status information";

    public Task ServeAsync(HttpContext http, AdminContext context) => http.JsonAsync(json =>
    {
        string uptime = $"{(long)(TimeProvider.System.GetUtcNow() - context.StartTime).TotalSeconds}s";
        json.WriteStartObject();
        json.WriteString("version", "meshl4/" + Version);
        json.WriteString("state", ReadyPage.NameOf(context.State()));
        json.WriteString("hot_restart_version", "disabled");
        json.WriteString("uptime_current_epoch", uptime);
        json.WriteString("uptime_all_epochs", uptime);
        WriteOptions(json, context);
        WriteLastKnownGood(json, context.LastKnownGood());
        json.WriteStartObject("node");
        json.WriteString("id", context.Bootstrap.NodeId);
        json.WriteString("cluster", context.Bootstrap.NodeCluster);
        json.WriteString("user_agent_name", "meshl4");
        json.WriteEndObject();
        json.WriteEndObject();
    });

    private static void WriteLastKnownGood(Utf8JsonWriter json, LastKnownGoodState? state)
    {
        if (state is null)
        {
            return;
        }

        json.WriteStartObject("last_known_good");
        json.WriteString("path", state.Path);
        json.WriteBoolean("in_use", state.InUse);
        if (state.Saved is { } saved)
        {
            json.WriteString("saved", saved.UtcDateTime);
        }

        if (state.Lacking.Count > 0)
        {
            json.WriteStartArray("lacking");
            foreach (string lack in state.Lacking)
            {
                json.WriteStringValue(lack);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteOptions(Utf8JsonWriter json, AdminContext context)
    {
        json.WriteStartObject("command_line_options");
        foreach ((string name, string value) in context.CommandLineOptions)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
    }
}
