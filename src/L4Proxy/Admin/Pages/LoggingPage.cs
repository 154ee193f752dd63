using System.Text;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using MeshL4.L4Proxy.Reporting.Logging;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/logging</c>: <c>?level=debug</c> sets all, <c>?NAME=level</c> one, <c>?paths=a:b,c:d</c> several; without any it lists.</summary>
internal sealed class LoggingPage : IAdminPage
{
    public string Path => "/logging";

    public string Help => "query/change logging levels (?level=, ?NAME=, ?paths=NAME:level,...)";

    public bool Mutates => true;

    public Task ServeAsync(HttpContext http, AdminContext context)
    {
        string error = "";
        if (http.Request.Query.Count > 1)
        {
            error = "one parameter at a time";
        }
        else
        {
            foreach ((string name, var value) in http.Request.Query)
            {
                error = Apply(context.LogLevels, name, value.ToString());
            }
        }

        return error.Length > 0
            ? http.TextAsync($"{LogEscape.EscapeControls(error)}\n", 400)
            : http.TextAsync(List(context.LogLevels));
    }

    /// <summary>Empty when it worked, else what was wrong.</summary>
    private static string Apply(LogLevels levels, string name, string value)
    {
        if (name == "paths")
        {
            return levels.TryApply(value, create: false, out string error) ? "" : error;
        }

        if (!LogLevels.TryParse(value, out LogLevel level))
        {
            return $"'{value}' is no level: trace, debug, info, warning, error, critical, off";
        }

        if (name == "level")
        {
            levels.SetAll(level);
            return "";
        }

        return levels.TrySet(name, level) ? "" : $"unknown component '{name}'";
    }

    private static string List(LogLevels levels)
    {
        StringBuilder text = new("active loggers:\n");
        foreach ((string component, LogLevel level) in levels.All)
        {
            text.Append("  ").Append(component).Append(": ").Append(LogLevels.NameOf(level)).Append('\n');
        }

        return text.ToString();
    }
}
