using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/quitquitquit</c>: ends the process, where the bootstrap allows it. Off by default: an application that can be
/// talked into a request must not end its sidecar.</summary>
internal sealed class QuitPage : IAdminPage
{
    public string Path => "/quitquitquit";

    public string Help => "exit the server, if enabled";

    public bool Mutates => true;

    public async Task ServeAsync(HttpContext http, AdminContext context)
    {
        if (!context.Bootstrap.EnableQuit)
        {
            await http.TextAsync("quitquitquit is not enabled in the bootstrap\n", 403);
            return;
        }

        http.Response.Headers.Connection = "close";
        await http.TextAsync("OK\n");
        await http.Response.CompleteAsync();
        context.Quit();
    }
}
