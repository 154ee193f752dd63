using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Admin;

/// <summary>
/// Finds the page and holds the rules all pages share. The port's pages come with the connection. An exception ends one
/// request with 500.
/// </summary>
internal sealed class AdminApplication(AdminContext admin, ILogger logger) : IHttpApplication<HttpContext>
{
    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public async Task ProcessRequestAsync(HttpContext context)
    {
        try
        {
            await ServeAsync(context);
        }
        catch (Exception error) when (error is OperationCanceledException or ConnectionResetException)
        {
            context.Abort();
        }
        catch (Exception error)
        {
            logger.LogError(error, "admin page {Path} failed", context.Request.Path.Value);
            await FailAsync(context);
        }
    }

    /// <summary>Nothing is kept per request.</summary>
    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    private Task ServeAsync(HttpContext http)
    {
        string path = http.Request.Path.Value ?? "/";
        string method = http.Request.Method;
        if (http.Features.Get<AdminPages>()?.Find(path) is not { } page)
        {
            return http.TextAsync("invalid path. /help on the admin port lists the pages.\n", (int)HttpStatusCode.NotFound);
        }

        if (HttpMethods.IsPost(method) && MutationGuard.Refusal(http) is { } reason)
        {
            logger.LogWarning("POST {Path} refused: {Reason}", path, reason);
            return http.TextAsync($"refused: {reason}\n", (int)HttpStatusCode.Forbidden);
        }

        if (page.Mutates && !HttpMethods.IsPost(method))
        {
            return http.TextAsync($"{path} changes the process: use POST, not {method}\n", (int)HttpStatusCode.BadRequest);
        }

        bool known = HttpMethods.IsPost(method) || HttpMethods.IsGet(method) || HttpMethods.IsHead(method);
        return known ? page.ServeAsync(http, admin) : http.TextAsync("use GET\n", (int)HttpStatusCode.MethodNotAllowed);
    }

    private static Task FailAsync(HttpContext http)
    {
        if (http.Response.HasStarted)
        {
            http.Abort();
            return Task.CompletedTask;
        }

        return http.TextAsync("internal error; see the log\n", (int)HttpStatusCode.InternalServerError);
    }
}
