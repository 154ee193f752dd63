using System.Text;
using System.Text.RegularExpressions;
using MeshL4.L4Proxy.Reporting.Metrics;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/stats/prometheus</c> and <c>/metrics</c>: exposition text, sent in pieces as it is made.</summary>
internal sealed class PrometheusPage(string path) : IAdminPage
{
    public string Path => path;

    public string Help => "print server stats in prometheus format";

    public async Task ServeAsync(HttpContext http, AdminContext context)
    {
        if (!AdminRegex.TryCompile(http.Query("filter"), out Regex? filter, out string error))
        {
            await http.TextAsync($"invalid filter: {error}\n", 400);
            return;
        }

        await WriteAsync(http, context, filter, http.Query("usedonly") is not null);
    }

    /// <summary>Writes the samples that pass; a filter looks at the dotted name, as on /stats.</summary>
    public static async Task WriteAsync(HttpContext http, AdminContext context, Regex? filter, bool usedOnly)
    {
        http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        using MetricSamples samples = MetricSamples.Of(context.Metrics);
        samples.Sort();
        StringBuilder text = new();
        PrometheusText prometheus = new(text);
        for (int i = 0; i < samples.All.Length; i++)
        {
            MetricSample sample = samples.All.Span[i];
            if ((!usedOnly || sample.Value != 0) && filter?.IsMatch(StatName.Of(sample)) != false)
            {
                prometheus.Append(sample);
                await http.SendAsync(text);
            }
        }

        await http.SendAsync(text, last: true);
    }
}
