using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using MeshL4.L4Proxy.Reporting.Metrics;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin.Pages;

/// <summary><c>/stats</c>: <c>name: value</c> by name; <c>?filter=regex</c>, <c>?usedonly</c>, <c>?format=json|prometheus</c>.</summary>
internal sealed class StatsPage : IAdminPage
{
    public string Path => "/stats";

    public string Help => "print server stats (?filter=regex, ?usedonly, ?format=json|prometheus)";

    public async Task ServeAsync(HttpContext http, AdminContext context)
    {
        if (!AdminRegex.TryCompile(http.Query("filter"), out Regex? filter, out string error))
        {
            await http.TextAsync($"invalid filter: {error}\n", 400);
            return;
        }

        bool usedOnly = http.Query("usedonly") is not null;
        if (http.Query("format") == "prometheus")
        {
            await PrometheusPage.WriteAsync(http, context, filter, usedOnly);
            return;
        }

        using MetricSamples samples = MetricSamples.Of(context.Metrics);
        bool Shown(MetricSample sample, string name) => (!usedOnly || sample.Value != 0) && filter?.IsMatch(name) != false;
        if (http.WantsJson())
        {
            await http.JsonAsync(json => WriteJson(json, samples, Shown));
        }
        else
        {
            await WriteTextAsync(http, samples, Shown);
        }
    }

    private static async Task WriteTextAsync(HttpContext http, MetricSamples samples, Func<MetricSample, string, bool> shown)
    {
        http.Response.ContentType = "text/plain; charset=UTF-8";
        StringBuilder text = new();
        samples.Sort();
        for (int i = 0; i < samples.All.Length; i++)
        {
            MetricSample sample = samples.All.Span[i];
            string name = StatName.Of(sample);
            if (shown(sample, name))
            {
                text.Append(name).Append(": ").Append(ValueOf(sample)).Append('\n');
                await http.SendAsync(text);
            }
        }

        await http.SendAsync(text, last: true);
    }

    private static string ValueOf(in MetricSample sample) => sample.Histogram is { } histogram
        ? string.Create(CultureInfo.InvariantCulture, $"count={histogram.Count} sum={histogram.Sum}")
        : sample.Value.ToString(CultureInfo.InvariantCulture);

    private static void WriteJson(Utf8JsonWriter json, MetricSamples samples, Func<MetricSample, string, bool> shown)
    {
        json.WriteStartObject();
        json.WriteStartArray("stats");
        foreach (MetricSample sample in samples.All.Span)
        {
            string name = StatName.Of(sample);
            if (shown(sample, name))
            {
                json.WriteStartObject();
                json.WriteString("name", name);
                json.WriteNumber("value", sample.Value);
                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
