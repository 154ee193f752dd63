using System.Globalization;
using System.Text;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Render;

/// <summary>The plan for people: one rule a line, first match decides, with the reason beside it.</summary>
internal static class PlanText
{
    /// <summary>The whole plan.</summary>
    public static string Write(RedirectPlan plan)
    {
        var text = new StringBuilder($"Families: {(plan.WithIpv6 ? "IPv4 and IPv6" : "IPv4 only")}. In each list the first rule that matches decides.\n");
        foreach (RedirectChain chain in plan.Chains)
        {
            text.Append(chain.Inbound ? "\nTraffic that enters the pod:\n" : "\nTraffic that processes of the pod send:\n");
            for (int i = 0; i < chain.Rules.Count; i++)
            {
                text.Append(CultureInfo.InvariantCulture, $"  {i + 1,2}. {Line(chain.Rules[i], chain.Inbound)}\n");
            }

            text.Append("      otherwise: left alone\n");
        }

        return text.ToString();
    }

    /// <summary>One rule: conditions, verdict, reason.</summary>
    public static string Line(RedirectRule rule, bool inbound)
    {
        string verdict = rule.Verdict.Port is int port
            ? string.Create(CultureInfo.InvariantCulture, $"to the proxy at {port}")
            : "left alone";
        return $"{NftScript.Conditions(rule, inbound)}: {verdict} ({rule.Why})";
    }
}
