using System.Text;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/</c> and <c>/help</c>: made from the list of pages itself.</summary>
internal sealed class HelpPage(string path, IReadOnlyList<IAdminPage> pages) : IAdminPage
{
    public string Path => path;

    public string Help => "this list";

    public Task ServeAsync(HttpContext http, AdminContext context)
    {
        StringBuilder text = new("admin commands are:\n");
        foreach (IAdminPage page in pages.OrderBy(static page => page.Path, StringComparer.Ordinal))
        {
            text.Append("  ").Append(page.Path).Append(page.Mutates ? " (POST): " : ": ").Append(page.Help).Append('\n');
        }

        return http.TextAsync(text.ToString());
    }
}
