using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace MeshL4.L4Proxy.Admin;

/// <summary>What pages do with requests and responses.</summary>
internal static class AdminResponse
{
    /// <summary>Text gathered before it goes to the socket.</summary>
    private const int ChunkChars = 8 << 10;

    /// <summary>Answers with plain text.</summary>
    public static Task TextAsync(this HttpContext http, string text, int status = 200)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=UTF-8";
        return http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text)).AsTask();
    }

    /// <summary>Answers with what <paramref name="write"/> writes as JSON.</summary>
    public static async Task JsonAsync(this HttpContext http, Action<Utf8JsonWriter> write)
    {
        http.Response.ContentType = "application/json";
        JsonWriterOptions options = new() { Indented = true, Encoder = JavaScriptEncoder.Default };
        await using Utf8JsonWriter json = new(http.Response.BodyWriter, options);
        write(json);
        await json.FlushAsync(http.RequestAborted);
    }

    /// <summary>Sends <paramref name="text"/> when it is long enough, or <paramref name="last"/>, and empties it.</summary>
    public static async ValueTask SendAsync(this HttpContext http, StringBuilder text, bool last = false)
    {
        if (text.Length < ChunkChars && !last)
        {
            return;
        }

        foreach (ReadOnlyMemory<char> chunk in text.GetChunks())
        {
            Encoding.UTF8.GetBytes(chunk.Span, http.Response.BodyWriter);
        }

        text.Clear();
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    /// <summary>A query parameter's first value; null when it is absent.</summary>
    public static string? Query(this HttpContext http, string name) =>
        http.Request.Query.TryGetValue(name, out var values) ? values.ToString() : null;

    public static bool WantsJson(this HttpContext http) => http.Query("format") == "json";
}
