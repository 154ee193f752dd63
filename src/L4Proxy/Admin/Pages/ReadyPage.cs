using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/ready</c>: the state by Envoy's name, 200 only when LIVE.</summary>
internal sealed class ReadyPage : IAdminPage
{
    public string Path => "/ready";

    public string Help => "print the server state, 200 if LIVE, otherwise 503";

    /// <summary>The state as /ready and /server_info print it.</summary>
    public static string NameOf(ServerState state) => state switch
    {
        ServerState.Live => "LIVE",
        ServerState.Draining => "DRAINING",
        ServerState.PreInitializing => "PRE_INITIALIZING",
        _ => "INITIALIZING",
    };

    public Task ServeAsync(HttpContext http, AdminContext context)
    {
        ServerState state = context.State();
        return http.TextAsync(NameOf(state) + "\n", state == ServerState.Live ? 200 : 503);
    }
}
