using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/drain_listeners</c>: stops accepting; <c>?inboundonly</c>, <c>?graceful</c>, <c>?skip_exit</c>.</summary>
internal sealed class DrainListenersPage : IAdminPage
{
    public string Path => "/drain_listeners";

    public string Help => "drain listeners (?inboundonly, ?graceful, ?skip_exit)";

    public bool Mutates => true;

    public Task ServeAsync(HttpContext http, AdminContext context)
    {
        DrainRequest request = new(
            http.Query("inboundonly") is not null, http.Query("graceful") is not null, http.Query("skip_exit") is not null);
        if (request is { SkipExit: true, Graceful: false })
        {
            return http.TextAsync("skip_exit needs graceful\n", 400);
        }

        context.Drain(request);
        return http.TextAsync("OK\n");
    }
}
