using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MeshL4.Interceptor.Verify;

/// <summary>What a verification found.</summary>
/// <param name="Checks">In the order of the promises.</param>
internal sealed record VerifyReport(IReadOnlyList<CheckResult> Checks)
{
    // A broken block list has one reason per packet; a screen full says no more than a few.
    private const int MostReasons = 5;

    /// <summary>Did a check fail?</summary>
    public bool AnyBroken => Count(CheckOutcome.Broken) > 0;

    /// <summary>Is there a check that nothing could be said about?</summary>
    public bool AnyNotProvable => Count(CheckOutcome.NotProvable) > 0;

    /// <summary>"18 held, 0 broken, 2 not provable here".</summary>
    public string Summary => string.Create(CultureInfo.InvariantCulture,
        $"{Count(CheckOutcome.Held)} held, {Count(CheckOutcome.Broken)} broken, {Count(CheckOutcome.NotProvable)} not provable here");

    /// <summary>The probes of one promise and family are one check: broken by one that is, held when all are.</summary>
    public static VerifyReport Of(IReadOnlyList<(Probe Probe, CheckOutcome Outcome, string? Reason)> judged)
    {
        string[] order = [.. judged.Select(j => j.Probe.Promise).Distinct()];
        return new([.. judged.GroupBy(j => (j.Probe.Promise, j.Probe.Family))
            .OrderBy(g => Array.IndexOf(order, g.Key.Promise)).ThenBy(g => g.Key.Family)
            .Select(g => Check(g.Key.Promise, g.Key.Family, [.. g]))]);
    }

    /// <summary>A line a check, its reasons below it, and <see cref="Summary"/> as the last line.</summary>
    public string Text()
    {
        var text = new StringBuilder();
        foreach (CheckResult check in Checks)
        {
            string packets = check.Probes == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $", {check.Probes} packets");
            string reason = check.Outcome == CheckOutcome.NotProvable ? $": {string.Join("; ", check.Reasons)}" : "";
            text.Append(Words(check.Outcome).PadRight(17)).Append(' ').Append(CultureInfo.InvariantCulture,
                $"{check.Promise} (IPv{Version(check)}{packets}){reason}\n");
            if (check.Outcome == CheckOutcome.Broken)
            {
                AppendReasons(text, check.Reasons);
            }
        }

        return text.Append(Summary).Append('\n').ToString();
    }

    /// <summary><c>{"held", "broken", "notProvable", "checks": [{"promise", "family": "ipv4"|"ipv6", "outcome":
    /// "held"|"broken"|"notProvable", "packets", "reasons": [...]}]}</c>, indented, with a final newline.</summary>
    public string Json()
    {
        using var buffer = new MemoryStream();
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            json.WriteStartObject();
            json.WriteNumber("held", Count(CheckOutcome.Held));
            json.WriteNumber("broken", Count(CheckOutcome.Broken));
            json.WriteNumber("notProvable", Count(CheckOutcome.NotProvable));
            json.WriteStartArray("checks");
            foreach (CheckResult check in Checks)
            {
                Write(json, check);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static CheckResult Check(string promise, AddressFamily family, (Probe Probe, CheckOutcome Outcome, string? Reason)[] judged)
    {
        CheckOutcome outcome = Array.Exists(judged, j => j.Outcome == CheckOutcome.Broken) ? CheckOutcome.Broken
            : Array.Exists(judged, j => j.Outcome == CheckOutcome.NotProvable) ? CheckOutcome.NotProvable : CheckOutcome.Held;
        return new(promise, family, outcome, judged.Length,
            [.. judged.Where(j => j.Outcome == outcome && j.Reason is not null).Select(j => j.Reason!).Distinct()]);
    }

    private static void Write(Utf8JsonWriter json, CheckResult check)
    {
        json.WriteStartObject();
        json.WriteString("promise", check.Promise);
        json.WriteString("family", string.Create(CultureInfo.InvariantCulture, $"ipv{Version(check)}"));
        json.WriteString("outcome", check.Outcome switch
        {
            CheckOutcome.Held => "held",
            CheckOutcome.Broken => "broken",
            _ => "notProvable",
        });
        json.WriteNumber("packets", check.Probes);
        json.WriteStartArray("reasons");
        foreach (string reason in check.Reasons)
        {
            json.WriteStringValue(reason);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void AppendReasons(StringBuilder text, IReadOnlyList<string> reasons)
    {
        foreach (string reason in reasons.Take(MostReasons))
        {
            text.Append("    ").Append(reason).Append('\n');
        }

        if (reasons.Count > MostReasons)
        {
            text.Append(CultureInfo.InvariantCulture, $"    and {reasons.Count - MostReasons} more\n");
        }
    }

    private static string Words(CheckOutcome outcome) => outcome switch
    {
        CheckOutcome.Held => "held",
        CheckOutcome.Broken => "broken",
        _ => "not provable here",
    };

    private static int Version(CheckResult check) => check.Family == AddressFamily.InterNetwork ? 4 : 6;

    private int Count(CheckOutcome outcome) => Checks.Count(c => c.Outcome == outcome);
}
