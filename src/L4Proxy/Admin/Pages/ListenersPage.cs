using System.Text;
using System.Text.Json;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/listeners</c>: <c>name::address</c> with the port really listened on; <c>?format=json</c>.</summary>
internal sealed class ListenersPage : IAdminPage
{
    public string Path => "/listeners";

    public string Help => "print listener info (?format=json)";

    public Task ServeAsync(HttpContext http, AdminContext context)
    {
        BoundListener[] listeners = [.. context.Listeners()];
        if (http.WantsJson())
        {
            return http.JsonAsync(json => WriteJson(json, listeners));
        }

        StringBuilder text = new();
        foreach (BoundListener listener in listeners)
        {
            text.Append(LogEscape.EscapeControls(listener.Name)).Append("::").Append(AddressText.WithPort(listener.Address)).Append('\n');
        }

        return http.TextAsync(text.ToString());
    }

    private static void WriteJson(Utf8JsonWriter json, BoundListener[] listeners)
    {
        json.WriteStartObject();
        json.WriteStartArray("listener_statuses");
        foreach (BoundListener listener in listeners)
        {
            json.WriteStartObject();
            json.WriteString("name", listener.Name);
            AddressJson.Write(json, "local_address", listener.Address);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
