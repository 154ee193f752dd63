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
            text.Append(CultureInfo.InvariantCulture, $"\n{Heading(chain)}:\n");
            for (int i = 0; i < chain.Rules.Count; i++)
            {
                text.Append(CultureInfo.InvariantCulture, $"  {i + 1,2}. {Line(chain.Rules[i], chain.Inbound)}\n");
            }

            text.Append("      otherwise: left alone\n");
        }

        IReadOnlyList<string> routing = PolicyRoutes.Lines(plan.Routing);
        return routing.Count == 0 ? text.ToString() : text.Append("\nPolicy routing:\n").Append(string.Concat(routing.Select(l => $"  ip {l}\n"))).ToString();
    }

    /// <summary>Which packets meet a chain.</summary>
    public static string Heading(RedirectChain chain)
    {
        string where = chain.Inbound ? "Traffic that enters the pod" : "Traffic that processes of the pod send";
        return chain.Table == NetfilterTable.Nat ? where : $"{where}, {chain.Table.ToString().ToLowerInvariant()} table";
    }

    /// <summary>One rule: conditions, verdict, reason.</summary>
    public static string Line(RedirectRule rule, bool inbound)
    {
        string conditions = NftScript.Conditions(rule, inbound);
        return $"{(conditions.Length > 0 ? conditions : "everything")}: {Verdict(rule.Verdict)} ({rule.Why})";
    }

    /// <summary>A verdict in a few words.</summary>
    public static string Verdict(RuleVerdict verdict) => verdict.Kind switch
    {
        VerdictKind.Redirect or VerdictKind.Tproxy => string.Create(CultureInfo.InvariantCulture, $"to the proxy at {verdict.Port}"),
        VerdictKind.Mark => string.Create(CultureInfo.InvariantCulture, $"mark {verdict.Number}, go on"),
        VerdictKind.MarkAndAccept => string.Create(CultureInfo.InvariantCulture, $"mark {verdict.Number}"),
        VerdictKind.SaveMark => "keep the mark in the connection, go on",
        VerdictKind.RestoreMark => "take the mark of the connection, go on",
        VerdictKind.Drop => "dropped",
        VerdictKind.Remember => $"remember the local port as {verdict.Set!.Name}, go on",
        VerdictKind.Forget => $"forget the local port as {verdict.Set!.Name}, go on",
        VerdictKind.Zone => string.Create(CultureInfo.InvariantCulture, $"tracked in zone {verdict.Number}, go on"),
        _ => "left alone",
    };
}
