using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary>
/// <c>/healthz/ready</c> on its own port, for the kubelet: LIVE, and every loop of the data path answers. A data path that is
/// stuck fails it although the admin threads are well.
/// </summary>
internal sealed class HealthzReadyPage : IAdminPage
{
    private static readonly TimeSpan ProbeTime = TimeSpan.FromSeconds(1);

    public string Path => "/healthz/ready";

    public string Help => "200 if LIVE and the data path answers, otherwise 503";

    public async Task ServeAsync(HttpContext http, AdminContext context)
    {
        ServerState state = context.State();
        if (state != ServerState.Live)
        {
            await http.TextAsync(ReadyPage.NameOf(state) + "\n", 503);
        }
        else if (await AnswersAsync(context))
        {
            await http.TextAsync("LIVE\n");
        }
        else
        {
            await http.TextAsync("data path does not answer\n", 503);
        }
    }

    private static async Task<bool> AnswersAsync(AdminContext context)
    {
        try
        {
            return await context.DataPathProbe().WaitAsync(ProbeTime);
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
