using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin;

/// <summary>One page of the admin API. Runs on a pool thread, never on a loop.</summary>
internal interface IAdminPage
{
    /// <summary>Exact path, such as <c>/ready</c>.</summary>
    string Path { get; }

    /// <summary>One line for /help.</summary>
    string Help { get; }

    /// <summary>Changes the process: POST only, from this machine only.</summary>
    bool Mutates => false;

    /// <summary>Answers the request; status 200 and plain text unless it sets others.</summary>
    Task ServeAsync(HttpContext http, AdminContext context);
}
