using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;

namespace MeshL4.Interceptor.Explain;

/// <summary>What becomes of one packet, and by which rules, for people and for machines.</summary>
internal sealed class Explanation(RedirectPlan plan, Packet packet)
{
    private readonly Decision _decision = plan.Decide(packet);

    private string Protocol => packet.Transport == Transports.Tcp ? "tcp" : "udp";

    /// <summary>The packet, the rules it meets a line each, and the verdict.</summary>
    public string Text()
    {
        var text = new StringBuilder($"{(packet.Forwarded ? "forwarded" : packet.Inbound ? "inbound" : "outbound")} {Protocol} from {packet.Source} to {new IPEndPoint(packet.Destination, packet.DestinationPort)}"
            + $" through {packet.Interface}{(packet.Inbound ? "" : $" as uid {packet.Uid} gid {packet.Gid}")}\n");
        foreach ((RedirectChain chain, RedirectRule? rule) in _decision.Steps)
        {
            text.Append(CultureInfo.InvariantCulture, $"  {chain.Name}");
            text.Append(rule is null ? ": no rule ends it here\n" : $" {Number(chain, rule)}. {PlanText.Line(rule, chain.Inbound)}\n");
        }

        return text.Append($"verdict: {PlanText.Verdict(_decision.Verdict)}\n").ToString();
    }

    /// <summary><c>{"direction", "forwarded"?, "proto", "src", "dst", "dport", "interface", "uid", "gid", "mark", "rules": [{"chain", "number", "match",
    /// "verdict", "why"}], "verdict", "port"?}</c>, with "match" in nft's words.</summary>
    public string Json()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            WritePacket(json);
            json.WriteStartArray("rules");
            foreach ((RedirectChain chain, RedirectRule? rule) in _decision.Steps)
            {
                WriteStep(json, chain, rule);
            }

            json.WriteEndArray();
            json.WriteString("verdict", Name(_decision.Verdict));
            if (_decision.Verdict.Port is int port)
            {
                json.WriteNumber("port", port);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private void WritePacket(Utf8JsonWriter json)
    {
        json.WriteString("direction", packet.Inbound ? "in" : "out");
        if (packet.Forwarded)
        {
            json.WriteBoolean("forwarded", true);
        }

        json.WriteString("proto", Protocol);
        json.WriteString("src", packet.Source.ToString());
        json.WriteString("dst", packet.Destination.ToString());
        json.WriteNumber("dport", packet.DestinationPort);
        json.WriteString("interface", packet.Interface);
        json.WriteNumber("uid", packet.Uid);
        json.WriteNumber("gid", packet.Gid);
        json.WriteNumber("mark", packet.Mark);
    }

    private static void WriteStep(Utf8JsonWriter json, RedirectChain chain, RedirectRule? rule)
    {
        if (rule is null)
        {
            return;
        }

        json.WriteStartObject();
        json.WriteString("chain", chain.Name);
        json.WriteNumber("number", Number(chain, rule));
        json.WriteString("match", NftScript.Conditions(rule, chain.Inbound));
        json.WriteString("verdict", Name(rule.Verdict));
        json.WriteString("why", rule.Why);
        json.WriteEndObject();
    }

    private static int Number(RedirectChain chain, RedirectRule rule) => chain.Rules.TakeWhile(r => !ReferenceEquals(r, rule)).Count() + 1;

    private static string Name(RuleVerdict verdict) => JsonNamingPolicy.CamelCase.ConvertName(verdict.Kind.ToString());
}
