using System.Text;
using System.Text.Json;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Render;

/// <summary>The plan for machines: <c>{"ipv6": bool, "chains": [{"hook", "rules": [{"match", "verdict", "port"?, "why"}]}]}</c>,
/// with "match" in nft's words.</summary>
internal static class PlanJson
{
    /// <summary>Indented JSON with a final newline.</summary>
    public static string Write(RedirectPlan plan)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteBoolean("ipv6", plan.WithIpv6);
            json.WriteStartArray("chains");
            foreach (RedirectChain chain in plan.Chains)
            {
                WriteChain(json, chain);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static void WriteChain(Utf8JsonWriter json, RedirectChain chain)
    {
        json.WriteStartObject();
        json.WriteString("hook", chain.Name);
        json.WriteStartArray("rules");
        foreach (RedirectRule rule in chain.Rules)
        {
            json.WriteStartObject();
            json.WriteString("match", NftScript.Conditions(rule, chain.Inbound));
            json.WriteString("verdict", rule.Verdict.Port is null ? "return" : "redirect");
            if (rule.Verdict.Port is int port)
            {
                json.WriteNumber("port", port);
            }

            json.WriteString("why", rule.Why);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
