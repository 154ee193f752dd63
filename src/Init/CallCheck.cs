using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;

namespace MeshL4.Init;

/// <summary>Refuses what means nothing for the command: <c>--uid 1338</c>, ignored by apply, would pass for <c>--proxy-uid</c>.</summary>
internal static class CallCheck
{
    private static readonly string[] Formats = ["text", "json", "nft", "iptables"];

    // What one who gives explain's flag to another command most likely meant.
    private static readonly Dictionary<string, string> Meant = new()
    {
        ["uid"] = "; the proxy's user is --proxy-uid",
        ["gid"] = "; the proxy's group is --proxy-gid",
        ["mark"] = "; the mark of the rules is --istio-inbound-tproxy-mark",
        ["interface"] = "; an interface is let alone by --istio-exclude-interfaces",
    };

    /// <summary>Adds an error for each flag that describes a packet where none is asked about.</summary>
    public static void PacketFlags(Invocation call, List<string> errors)
    {
        if (call.Command != "explain")
        {
            errors.AddRange(CommandLine.PacketFlags.Where(call.Extra.ContainsKey)
                .Select(f => $"--{f} '{call.Extra[f]}': describes a packet for explain, which {call.Command} has not{Meant.GetValueOrDefault(f)}"));
            errors.AddRange(new[] { (call.Inbound, "in"), (call.Outbound, "out"), (call.Forwarded, "forwarded") }.Where(s => s.Item1)
                .Select(s => $"--{s.Item2}: describes a packet for explain, which {call.Command} has not"));
        }
        else if (call.Inbound && call.Outbound)
        {
            errors.Add("--in and --out: only one of them can hold");
        }
        else if (call.Forwarded && !call.Inbound)
        {
            errors.Add("--forwarded: says of a packet that comes in (--in) that it goes on to somebody else");
        }
    }

    /// <summary>The format to print in; adds an error where nothing of it would be printed.</summary>
    public static string Format(Invocation call, string command, RedirectOptions options, List<string> errors)
    {
        string format = call.Extra.GetValueOrDefault("format", "text");
        string[] known = Known(command, options);
        if (!Formats.Contains(format))
        {
            errors.Add($"--format '{format}': must be text, json, nft or iptables");
        }
        else if (!known.Contains(format))
        {
            errors.Add($"--format '{format}': {command}, as it is asked for here, prints {string.Join(" or ", known)} only; plan and apply --dry-run print every format");
        }
        else if (format == "iptables" && OptionsCheck.TooManyGroups(options.OwnerGroups?.Count) is string tooMany)
        {
            errors.Add($"--format '{format}' and {call.Flags["istio-outbound-owner-groups"].Origin}: {tooMany}");
        }
        else if (format == "iptables" && options.Mode == InterceptionMode.Transparent)
        {
            errors.Add($"--format '{format}' and {call.Flags["istio-inbound-interception-mode"].Origin} 'TRANSPARENT': {IptablesText.NoTransparent}");
        }

        return format;
    }

    private static string[] Known(string command, RedirectOptions options) => command switch
    {
        "plan" => Formats,
        "apply" when options.DryRun => Formats,
        // apply prints the verification's report, and nothing else in any format.
        "apply" when options.RunValidation || (options.Verify != VerifyMode.Off && !options.SkipRuleApply) => Formats[..2],
        "verify" when !options.DryRun => Formats[..2],
        "explain" or "diff" => Formats[..2],
        _ => Formats[..1],
    };
}
