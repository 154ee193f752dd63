using System.Text;
using System.Text.Json;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Render;

/// <summary>The plan for machines: <c>{"ipv6": bool, "sets": [{"name", "transport", "seconds"}], "chains": [{"table", "hook", "rules": [{"match",
/// "verdict", "port"?, "number"?, "set"?, "why"}]}], "routing": {"table", "marks", "passthrough"}}</c>, with "match" in nft's words; "number"
/// is a mark or a zone, "set" what the rule fills, "seconds" how long a port stays there (0: until a rule takes it out).</summary>
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
            WriteSets(json, plan.Sets);
            json.WriteStartArray("chains");
            foreach (RedirectChain chain in plan.Chains)
            {
                WriteChain(json, chain);
            }

            json.WriteEndArray();
            WriteRouting(json, plan.Routing);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static void WriteSets(Utf8JsonWriter json, IReadOnlyList<LearnedSet> sets)
    {
        json.WriteStartArray("sets");
        foreach (LearnedSet set in sets)
        {
            json.WriteStartObject();
            json.WriteString("name", set.Name);
            json.WriteString("transport", set.Transport.ToString().ToLowerInvariant());
            json.WriteNumber("seconds", set.Seconds);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteRouting(Utf8JsonWriter json, PolicyRouting routing)
    {
        json.WriteStartObject("routing");
        json.WriteNumber("table", routing.Table);
        json.WriteStartArray("marks");
        foreach (uint mark in routing.Marks)
        {
            json.WriteNumberValue(mark);
        }

        json.WriteEndArray();
        json.WriteBoolean("passthrough", routing.Passthrough);
        json.WriteEndObject();
    }

    private static void WriteChain(Utf8JsonWriter json, RedirectChain chain)
    {
        json.WriteStartObject();
        json.WriteString("table", chain.Table.ToString().ToLowerInvariant());
        json.WriteString("hook", chain.Hook);
        json.WriteStartArray("rules");
        foreach (RedirectRule rule in chain.Rules)
        {
            json.WriteStartObject();
            json.WriteString("match", NftScript.Conditions(rule, chain.Inbound));
            json.WriteString("verdict", JsonNamingPolicy.CamelCase.ConvertName(rule.Verdict.Kind.ToString()));
            if (rule.Verdict.Port is int port)
            {
                json.WriteNumber("port", port);
            }

            if (rule.Verdict.Number != 0)
            {
                json.WriteNumber("number", rule.Verdict.Number);
            }

            if (rule.Verdict.Set is LearnedSet set)
            {
                json.WriteString("set", set.Name);
            }

            json.WriteString("why", rule.Why);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
